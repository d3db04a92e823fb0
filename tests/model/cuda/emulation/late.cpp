// SPDX-License-Identifier: Apache-2.0
// The device does nothing until somebody waits for it: what the host changes,
// or reads, too soon shows in the answers.
#include "kernels/cuda/emulation/launch_emulated.hpp"
#include "model/cuda/cuda_device.hpp"
#include "model/engine.hpp"
#include "tests/model/cuda/pipelined_runs.hpp"

#include <boost/test/unit_test.hpp>

using namespace sluice;
using namespace sluice::test;

namespace {

std::unique_ptr<compute_device> device() {
  return std::make_unique<cuda_device>(cuda_options{});
}

/// A decode of a sequence that has joined with plan 1, or its prompt.
messages::StepPlanT decode(std::uint64_t number, std::uint32_t position) {
  messages::StepPlanT plan;
  plan.number = number;
  auto row = std::make_unique<messages::PlanRowT>();
  row->sequence = 1;
  row->start = position;
  row->from_plan = number - 1;
  plan.rows.push_back(std::move(row));
  return plan;
}

messages::StepPlanT prompt() {
  auto plan = decode(1, 0);
  auto state = std::make_unique<messages::SequenceStateT>();
  state->sequence = 1;
  state->prompt_tokens = 1;
  state->pages = {0, 1, 2};
  state->sampling = std::make_unique<messages::SamplingT>();
  state->sampling->frequency_penalty = 0.5f;
  state->sampling->presence_penalty = 0.5f;
  plan.joined.push_back(std::move(state));
  plan.rows.front()->tokens = {7};
  return plan;
}

struct late_device {
  late_device() { cuda::emulation::work_late(true); }
  ~late_device() { cuda::emulation::work_late(false); }
};

} // namespace

BOOST_AUTO_TEST_SUITE(cuda_late)

BOOST_AUTO_TEST_CASE(a_device_that_is_always_late_gives_the_same_results) {
  for (const std::uint32_t seed : {4u, 5u, 6u}) {
    auto script = random_script(
        tiny_model({}),
        {.seed = seed, .together = seed - 2, .penalties = seed > 4});
    const auto expected = run_one_by_one(script, device);
    script.options.kept_tables = seed - 2;
    script.options.kept_counts = seed - 4;
    const late_device late;
    expect_same(expected, run_one_by_one(script, device));
    expect_same(expected, run_pipelined(script, device));
  }
}

BOOST_AUTO_TEST_CASE(so_it_does_where_tokens_are_missing) {
  for (const std::uint32_t seed : {7u, 8u}) {
    const auto script = random_script(poisoned_model(17),
                                      {.seed = seed, .penalties = seed > 7});
    const auto expected = run_one_by_one(script, device);
    const late_device late;
    expect_same(expected, run_pipelined(script, device));
  }
}

// Penalties look at all tokens, even at those that nobody has read.
BOOST_AUTO_TEST_CASE(no_decode_waits_for_the_one_before) {
  constexpr std::uint64_t steps = 20;
  const late_device late;
  engine runs{device()};
  runs.add_lane(tiny_model({}), {.kv_pages = 3});
  std::vector<messages::frame<messages::StepPlan>> plans;
  plans.push_back(messages::pack<messages::StepPlan>(prompt()));
  runs.start(*plans.back());
  for (std::uint64_t number = 2; number <= steps; ++number) {
    plans.push_back(messages::pack<messages::StepPlan>(
        decode(number, static_cast<std::uint32_t>(number) - 1)));
    runs.start(*plans.back());
    BOOST_TEST(!runs.is_done());
    BOOST_TEST(runs.finish().unpack().rows.at(0)->tokens.size() == 1u);
  }
  runs.finish();
}

BOOST_AUTO_TEST_SUITE_END()
