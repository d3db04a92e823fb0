// SPDX-License-Identifier: Apache-2.0
#include "tests/model/engine/contract_journey.hpp"

#include "tests/model/engine/plan_driver.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstring>
#include <map>
#include <random>

namespace sluice::test {

namespace {

constexpr std::uint32_t generated = 14;

/// What a run of one sequence gave.
struct trace {
  std::vector<std::uint32_t> tokens;                  // prompt, then generated
  std::vector<float> logprobs;                        // of the generated ones
  std::map<std::uint32_t, std::vector<float>> logits; // by position
};

/// The ways of sampling, in turn.
messages::SamplingT sampling_of(std::uint64_t key) {
  auto sampling = greedy();
  sampling.want_logprobs = true;
  if (key % 3 > 0)
    sampling.temperature = 0.8f;
  if (key % 3 == 2) {
    sampling.top_k = 20;
    sampling.top_p = 0.95f;
    sampling.repetition_penalty = 1.3f;
    sampling.frequency_penalty = 0.4f;
    sampling.presence_penalty = 0.2f;
  }
  return sampling;
}

std::vector<sequence_start> make_sequences(std::size_t count) {
  std::mt19937 random{7};
  std::vector<sequence_start> result;
  for (std::uint64_t key = 0; key < count; ++key) {
    sequence_start start{.key = key,
                         .prompt = {},
                         .sampling = sampling_of(key),
                         .seed = 100 + key / 2, // some share their seed
                         .index = static_cast<std::uint32_t>(key % 2)};
    start.prompt.resize(1 + random() % 50);
    for (auto& token : start.prompt)
      token = random() % 100;
    result.push_back(std::move(start));
  }
  return result;
}

/// One sequence on its random way through the steps.
struct traveller {
  const sequence_start* start = nullptr;
  const trace* expected = nullptr;
  std::uint32_t planned = 0; // positions that have KV
  trace found = {};
  // Of the row in the plan being made:
  std::uint32_t row = 0;
  std::uint32_t row_samples = 0;
  bool in_plan = false;

  std::uint32_t known() const {
    return static_cast<std::uint32_t>(found.tokens.size());
  }
  bool done() const { return known() == start->prompt.size() + generated; }
};

/// Runs sequences side by side, each step cut at random.
class random_journey {
public:
  random_journey(std::shared_ptr<const loaded_model> model,
                 const contract_setting& where, std::uint32_t seed)
      : device_{where.together()}, random_{seed} {
    device_.add_lane(std::move(model), {.kv_pages = 128,
                                        .page_tokens = where.page_tokens,
                                        .kv_type = where.kv_type,
                                        .max_step_tokens = 256});
    driver_ = std::make_unique<plan_driver>(device_, 0);
    device_.observe([this](const logits_row& row) { note(row); });
  }

  std::vector<trace> run(const std::vector<sequence_start>& starts,
                         const std::vector<trace>& expected) {
    for (std::size_t i = 0; i < starts.size(); ++i) {
      travellers_[starts[i].key] = {.start = &starts[i],
                                    .expected = &expected[i]};
      join(travellers_[starts[i].key]);
    }
    while (step())
      ;
    std::vector<trace> result;
    for (const auto& start : starts)
      result.push_back(travellers_[start.key].found);
    BOOST_TEST(driver_->pages().counts().free == 128u);
    return result;
  }

private:
  void join(traveller& t) {
    driver_->join(*t.start);
    if (t.found.tokens.empty())
      t.found.tokens = t.start->prompt;
    t.planned = 0;
  }

  void note(const logits_row& row) {
    auto& t = travellers_.at(row.sequence);
    // After a wrong draft token there is nothing to compare with.
    if (draft_is_right(t, row.position))
      t.found.logits[row.position].assign(row.logits.begin(), row.logits.end());
  }

  bool draft_is_right(const traveller& t, std::uint32_t position) const {
    const auto& row = rows_.at(t.start->key);
    for (auto at = row.start; at <= position; ++at)
      if (row.tokens[at - row.start] != t.expected->tokens.at(at))
        return false;
    return true;
  }

  bool step() {
    rows_.clear();
    bool more = false;
    for (auto& [key, t] : travellers_) {
      t.in_plan = false;
      if (t.done())
        continue;
      more = true;
      if (random_() % 4 > 0)
        plan_row(t);
    }
    if (!rows_.empty())
      take(driver_->run());
    return more;
  }

  void plan_row(traveller& t) {
    if (t.planned > 4 && random_() % 12 == 0) { // preempted and recomputed
      driver_->leave(t.start->key);
      join(t);
    }
    if (t.planned > 2 && random_() % 8 == 0)
      t.planned -= 1 + random_() % 2; // rolled back
    given_row row{.sequence = t.start->key, .start = t.planned, .tokens = {}};
    const auto missing = t.known() - t.planned;
    const auto chunk = 1 + random_() % missing;
    row.tokens.assign(t.found.tokens.begin() + t.planned,
                      t.found.tokens.begin() + t.planned + chunk);
    row.sample_from = static_cast<std::uint32_t>(chunk);
    if (chunk == missing) { // the end is sampled, perhaps with a draft
      row.sample_from = static_cast<std::uint32_t>(chunk) - 1;
      add_draft(t, row);
    }
    t.row = driver_->add(row);
    t.row_samples =
        static_cast<std::uint32_t>(row.tokens.size()) - row.sample_from;
    t.in_plan = true;
    rows_[t.start->key] = row;
  }

  /// Tokens of the expected continuation; sometimes the last one is wrong.
  void add_draft(const traveller& t, given_row& row) {
    const auto room = t.expected->tokens.size() - t.known();
    const auto draft = std::min<std::size_t>(random_() % 4, room - 1);
    for (std::size_t i = 0; i < draft; ++i)
      row.tokens.push_back(t.expected->tokens[t.known() + i]);
    if (draft > 0 && random_() % 2 == 0)
      row.tokens.back() = (row.tokens.back() + 1) % 100;
  }

  void take(const messages::StepResultT& result) {
    for (auto& [key, t] : travellers_) {
      if (!t.in_plan)
        continue;
      const auto& answer = *result.rows.at(t.row);
      BOOST_REQUIRE_MESSAGE(answer.code == messages::ErrorCode::none,
                            result.text << answer.text);
      BOOST_REQUIRE(answer.tokens.size() == t.row_samples);
      advance(t, answer);
    }
  }

  /// Accepts sampled tokens as long as the draft agreed with them.
  void advance(traveller& t, const messages::RowResultT& answer) {
    const auto& row = rows_.at(t.start->key);
    const auto first = row.start + row.sample_from + 1; // its first new token
    t.planned = row.start + static_cast<std::uint32_t>(row.tokens.size());
    for (std::uint32_t i = 0; i < answer.tokens.size(); ++i) {
      t.found.tokens.push_back(answer.tokens[i]);
      t.found.logprobs.push_back(answer.logprobs.at(i)->logprob);
      const auto next = first + i - row.start; // offset of that position
      if (next < row.tokens.size() && row.tokens[next] != answer.tokens[i]) {
        t.planned = row.start + next;
        break;
      }
    }
    if (t.done())
      driver_->leave(t.start->key);
  }

  engine device_;
  std::mt19937 random_;
  std::unique_ptr<plan_driver> driver_;
  std::map<std::uint64_t, traveller> travellers_;
  std::map<std::uint64_t, given_row> rows_; // of the plan being made
};

/// Every sequence alone, the prompt at once.
std::vector<trace> run_each_alone(std::shared_ptr<const loaded_model> model,
                                  const contract_setting& where,
                                  const std::vector<sequence_start>& starts) {
  engine device{where.alone()};
  device.add_lane(model, {.kv_pages = 16, .kv_type = where.kv_type});
  std::vector<trace> result;
  for (const auto& start : starts) {
    trace found{.tokens = start.prompt, .logprobs = {}, .logits = {}};
    device.observe([&](const logits_row& row) {
      found.logits[row.position].assign(row.logits.begin(), row.logits.end());
    });
    plan_driver driver{device, 0};
    auto [tokens, logprobs] = run_alone(driver, start, generated);
    found.tokens.insert(found.tokens.end(), tokens.begin(), tokens.end());
    found.logprobs = std::move(logprobs);
    result.push_back(std::move(found));
  }
  return result;
}

void expect_same_bytes(const trace& expected, const trace& found) {
  BOOST_TEST(found.tokens == expected.tokens, boost::test_tools::per_element());
  BOOST_TEST(found.logprobs == expected.logprobs,
             boost::test_tools::per_element());
  for (const auto& [position, logits] : expected.logits) {
    const auto other = found.logits.find(position);
    BOOST_REQUIRE(other != found.logits.end());
    BOOST_REQUIRE_MESSAGE(std::memcmp(logits.data(), other->second.data(),
                                      logits.size() * sizeof(float)) == 0,
                          "the logits of position " << position << " differ");
  }
}

} // namespace

void check_contract(const tiny_options& options, const contract_setting& where,
                    const std::vector<std::uint32_t>& seeds) {
  const auto model = tiny_model(options);
  const auto starts = make_sequences(9);
  const auto expected = run_each_alone(model, where, starts);
  for (const auto seed : seeds) {
    const auto found = random_journey{model, where, seed}.run(starts, expected);
    for (std::size_t i = 0; i < starts.size(); ++i)
      expect_same_bytes(expected[i], found[i]);
  }
}

} // namespace sluice::test
