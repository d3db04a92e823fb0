// SPDX-License-Identifier: Apache-2.0
#include "tests/model/cuda/pipelined_runs.hpp"

#include "memory/kv_pages.hpp"
#include "model/engine.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <map>
#include <random>

namespace sluice::test {

namespace {

constexpr std::uint32_t sequences = 6;
constexpr std::uint32_t pool_pages = 160;
constexpr std::uint32_t page_tokens = 8;
constexpr std::uint32_t host_slots = 16;
constexpr std::uint32_t longest = 90; // of the tiny model's 128 positions

/// A sequence as the script knows it: without the tokens that it samples.
struct scripted {
  std::vector<std::uint32_t> prompt;
  std::uint32_t planned = 0; // positions in plans so far
  std::uint64_t plan = 0;    // that samples its next token, and where
  std::uint32_t row = 0;
  bool joined = false;
};

class script_writer {
public:
  explicit script_writer(const script_wishes& wishes)
      : wishes_{wishes}, random_{wishes.seed} {}

  std::vector<messages::frame<messages::StepPlan>> write() {
    std::vector<messages::frame<messages::StepPlan>> all;
    for (std::uint64_t number = 1; number <= wishes_.plans; ++number) {
      plan_ = {};
      plan_.number = number;
      const auto first = random_() % sequences;
      for (std::uint64_t i = 0; i < sequences; ++i)
        if (random_() % 5 > 0 && plan_.rows.size() < wishes_.together)
          plan_sequence(1 + (first + i) % sequences);
      if (random_() % 12 == 0)
        add_hopeless_row();
      all.push_back(messages::pack<messages::StepPlan>(plan_));
      if (number > 2)
        pages_.plans_done(number - 2);
    }
    return all;
  }

private:
  bool once_in(std::uint32_t times) { return random_() % times == 0; }
  std::uint32_t some_token() {
    return static_cast<std::uint32_t>(random_() % 100);
  }

  void plan_sequence(std::uint64_t key) {
    auto& s = all_[key];
    if (s.joined && (s.planned > longest || once_in(25)))
      leave(key, s);
    if (!s.joined)
      join(key, s);
    if (out_ == key)
      return swap_in();
    if (out_ == 0 && s.planned > page_tokens && once_in(8))
      return swap_out(key);
    if (s.planned < s.prompt.size())
      add_chunk(key, s);
    else
      add_decode(key, s);
  }

  void join(std::uint64_t key, scripted& s) {
    s = {};
    s.joined = true;
    s.prompt.resize(1 + random_() % 40);
    for (auto& token : s.prompt)
      token = some_token();
    auto state = std::make_unique<messages::SequenceStateT>();
    state->sequence = key;
    state->seed = random_();
    state->prompt_tokens = static_cast<std::uint32_t>(s.prompt.size());
    state->top_scores = 3;
    state->sampling = std::make_unique<messages::SamplingT>(sampling());
    plan_.joined.push_back(std::move(state));
  }

  messages::SamplingT sampling() {
    messages::SamplingT s;
    s.temperature = once_in(3) ? 0.0f : 0.9f;
    s.want_logprobs = once_in(2);
    s.logprobs = once_in(4) ? 5 : 0;
    if (once_in(3))
      s.top_p = 0.9f;
    const auto penalised = wishes_.penalties ? 2 : 4;
    if (once_in(penalised))
      s.repetition_penalty = 1.3f;
    if (once_in(penalised))
      s.frequency_penalty = 0.4f;
    if (once_in(penalised))
      s.presence_penalty = 0.7f;
    if (once_in(4))
      s.logit_bias = {{3, 1.5f}, {7, -2.0f}};
    return s;
  }

  void leave(std::uint64_t key, scripted& s) {
    plan_.left.push_back(key);
    pages_.release(key);
    if (out_ == key)
      out_ = 0;
    s = {};
  }

  void grant(std::uint64_t key, std::uint32_t tokens) {
    const auto delta = pages_.grant({key, tokens}, plan_.number);
    BOOST_REQUIRE_MESSAGE(delta.has_value(), "the script's pool is too small");
    auto message = std::make_unique<messages::PageDeltaT>();
    message->sequence = delta->sequence;
    message->first = delta->first;
    message->pages = delta->pages;
    plan_.pages.push_back(std::move(message));
  }

  messages::PlanRowT& add_row(std::uint64_t key, scripted& s,
                              std::uint32_t count) {
    grant(key, s.planned + count);
    auto row = std::make_unique<messages::PlanRowT>();
    row->sequence = key;
    row->start = s.planned;
    s.planned += count;
    s.plan = plan_.number;
    s.row = static_cast<std::uint32_t>(plan_.rows.size());
    plan_.rows.push_back(std::move(row));
    return *plan_.rows.back();
  }

  // What comes next must be given.
  void roll_back(scripted& s) {
    if (s.planned > 4 && once_in(2))
      s.planned -= 1 + random_() % 3;
  }

  void add_chunk(std::uint64_t key, scripted& s) {
    roll_back(s);
    const auto missing =
        static_cast<std::uint32_t>(s.prompt.size()) - s.planned;
    const auto count = 1 + random_() % missing;
    const auto first = s.prompt.begin() + s.planned;
    auto& row = add_row(key, s, static_cast<std::uint32_t>(count));
    row.tokens.assign(first, first + static_cast<std::ptrdiff_t>(count));
    row.sample_from = static_cast<std::uint32_t>(count) - (count == missing);
    if (count > 2 && once_in(3)) {
      row.score_from = 1;
      row.next_tokens = {row.tokens.begin() + 2, row.tokens.end()};
    } else if (once_in(4)) {
      row.sample_from = static_cast<std::uint32_t>(random_() % count);
    }
  }

  // From time to time tokens are given: one, or a few, as drafts are. Each
  // samples.
  void add_decode(std::uint64_t key, scripted& s) {
    const auto plan = s.plan;
    const auto from = s.row;
    if (once_in(6)) {
      roll_back(s);
      const auto count = once_in(2) ? 1u : 3u;
      auto& row = add_row(key, s, count);
      row.tokens.resize(count);
      for (auto& token : row.tokens)
        token = some_token();
      return;
    }
    auto& row = add_row(key, s, 1);
    row.from_plan = plan;
    row.from_row = from;
  }

  // Where nothing was sampled, or nobody is.
  void add_hopeless_row() {
    auto row = std::make_unique<messages::PlanRowT>();
    row->sequence = once_in(2) ? 77 : 1;
    row->from_plan = plan_.number;
    row->from_row = 3;
    plan_.rows.push_back(std::move(row));
  }

  // Other bytes are written over its own in the same plan.
  void swap_out(std::uint64_t key) {
    std::uint32_t slot = 0;
    for (const auto page : pages_.pages_of(key)) {
      plan_.swaps_out.push_back(messages::PageSwap{page, slot++});
      plan_.copies.push_back(messages::PageCopy{spare_page, page});
    }
    out_ = key;
  }

  void swap_in() {
    std::uint32_t slot = 0;
    for (const auto page : pages_.pages_of(out_))
      plan_.swaps_in.push_back(messages::PageSwap{page, slot++});
    out_ = 0;
  }

  static constexpr page_id spare_page = pool_pages; // one that nobody is given

  script_wishes wishes_;
  std::mt19937 random_;
  kv_pages pages_{pool_pages, page_tokens};
  std::map<std::uint64_t, scripted> all_;
  messages::StepPlanT plan_;
  std::uint64_t out_ = 0; // the sequence in host memory
};

messages::StepResultT
without_times(const messages::frame<messages::StepResult>& result) {
  auto plain = result.unpack();
  plain.compute_us = 0;
  plain.idle_ns = plain.kernels_ns = plain.sampling_ns = plain.moves_ns = 0;
  return plain;
}

std::unique_ptr<engine> engine_of(const plan_script& script,
                                  const device_maker& device) {
  auto made = std::make_unique<engine>(device());
  made->add_lane(script.model, script.options);
  return made;
}

} // namespace

plan_script random_script(std::shared_ptr<const loaded_model> model,
                          const script_wishes& wishes) {
  return {.model = std::move(model),
          .options = {.kv_pages = pool_pages + 1,
                      .page_tokens = page_tokens,
                      .max_step_tokens = 256,
                      .host_slots = host_slots},
          .plans = script_writer{wishes}.write()};
}

std::vector<messages::StepResultT> run_one_by_one(const plan_script& script,
                                                  const device_maker& device) {
  const auto runs = engine_of(script, device);
  std::vector<messages::StepResultT> results;
  for (const auto& plan : script.plans)
    results.push_back(without_times(runs->step(*plan)));
  return results;
}

std::vector<messages::StepResultT> run_pipelined(const plan_script& script,
                                                 const device_maker& device) {
  const auto runs = engine_of(script, device);
  std::vector<messages::StepResultT> results;
  for (const auto& plan : script.plans) {
    runs->start(*plan);
    if (runs->started() == most_started_steps)
      results.push_back(without_times(runs->finish()));
  }
  while (runs->started() > 0)
    results.push_back(without_times(runs->finish()));
  return results;
}

void expect_same(const std::vector<messages::StepResultT>& expected,
                 const std::vector<messages::StepResultT>& found) {
  BOOST_REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    const auto a = messages::pack<messages::StepResult>(expected[i]);
    const auto b = messages::pack<messages::StepResult>(found[i]);
    BOOST_REQUIRE_MESSAGE(std::ranges::equal(a.bytes(), b.bytes()),
                          "the results of plan " << expected[i].number
                                                 << " differ");
  }
}

} // namespace sluice::test
