// SPDX-License-Identifier: Apache-2.0
#include "tests/model/engine/plan_driver.hpp"

#include "tests/model/engine/allocation_count.hpp"

#include <boost/test/unit_test.hpp>

namespace sluice::test {

plan_driver::plan_driver(engine& device, std::uint32_t lane)
    : device_{device}, lane_{lane}, pages_{device.facts(lane).kv_pages,
                                           device.facts(lane).page_tokens} {
  begin_plan();
}

void plan_driver::begin_plan() {
  plan_ = {};
  plan_.lane = lane_;
  plan_.number = ++number_;
}

void plan_driver::join(const sequence_start& start) {
  auto state = std::make_unique<messages::SequenceStateT>();
  state->sequence = start.key;
  state->index = start.index;
  state->seed = start.seed;
  state->sampling = std::make_unique<messages::SamplingT>(start.sampling);
  state->prompt_tokens = static_cast<std::uint32_t>(start.prompt.size());
  state->top_scores = start.top_scores;
  plan_.joined.push_back(std::move(state));
}

void plan_driver::leave(std::uint64_t key) {
  plan_.left.push_back(key);
  pages_.release(key);
}

void plan_driver::grant(std::uint64_t sequence, std::uint32_t tokens) {
  const auto delta = pages_.grant({sequence, tokens}, number_);
  BOOST_REQUIRE_MESSAGE(delta.has_value(), "the test's pool is too small");
  auto message = std::make_unique<messages::PageDeltaT>();
  message->sequence = delta->sequence;
  message->first = delta->first;
  message->pages = delta->pages;
  plan_.pages.push_back(std::move(message));
}

std::uint32_t plan_driver::add(const given_row& row) {
  grant(row.sequence,
        row.start + static_cast<std::uint32_t>(row.tokens.size()));
  auto message = std::make_unique<messages::PlanRowT>();
  message->sequence = row.sequence;
  message->start = row.start;
  message->tokens = row.tokens;
  message->sample_from = row.sample_from;
  message->score_from = row.score_from;
  message->next_tokens = row.next_tokens;
  plan_.rows.push_back(std::move(message));
  return static_cast<std::uint32_t>(plan_.rows.size() - 1);
}

std::uint32_t plan_driver::add_sampled(std::uint64_t sequence,
                                       std::uint32_t start, std::uint64_t plan,
                                       std::uint32_t row) {
  const auto index = add({.sequence = sequence, .start = start, .tokens = {}});
  grant(sequence, start + 1);
  plan_.rows[index]->from_plan = plan;
  plan_.rows[index]->from_row = row;
  return index;
}

messages::StepResultT plan_driver::run() {
  const auto frame = messages::pack<messages::StepPlan>(plan_);
  const allocation_count in_step;
  const auto answer = device_.step(*frame);
  allocations_ = in_step.count();
  auto result = answer.unpack();
  BOOST_TEST(result.number == number_);
  pages_.plans_done(number_);
  BOOST_TEST(pages_.check().empty());
  begin_plan();
  return result;
}

messages::SamplingT greedy() {
  messages::SamplingT sampling;
  sampling.temperature = 0;
  return sampling;
}

generation run_alone(plan_driver& driver, const sequence_start& start,
                     std::uint32_t generate) {
  const auto prompt = static_cast<std::uint32_t>(start.prompt.size());
  driver.join(start);
  driver.add({start.key, 0, start.prompt, prompt - 1});
  generation made;
  for (std::uint32_t i = 0; i < generate; ++i) {
    const auto result = driver.run();
    BOOST_REQUIRE_MESSAGE(result.rows.at(0)->code == messages::ErrorCode::none,
                          result.text << result.rows.at(0)->text);
    made.tokens.push_back(result.rows[0]->tokens.at(0));
    for (const auto& logprob : result.rows[0]->logprobs)
      made.logprobs.push_back(logprob->logprob);
    if (i + 1 < generate)
      driver.add({start.key, prompt + i, {made.tokens.back()}, 0});
  }
  driver.leave(start.key);
  return made;
}

} // namespace sluice::test
