// SPDX-License-Identifier: Apache-2.0
// The device does nothing until somebody waits for it, and then one of its
// streams as late as it may: what the host, or another stream, changes or reads
// too soon shows in the answers.
#include "kernels/cuda/emulation/launch_emulated.hpp"
#include "model/cuda/cuda_device.hpp"
#include "model/engine.hpp"
#include "tests/model/cuda/moved_pages.hpp"
#include "tests/model/cuda/pipelined_runs.hpp"
#include "tests/model/engine/plan_driver.hpp"

#include <boost/test/unit_test.hpp>

using namespace sluice;
using namespace sluice::test;
using cuda::emulation::pace;

namespace {

std::unique_ptr<compute_device> device() {
  return std::make_unique<cuda_device>(cuda_options{});
}

/// More pages are swapped than its staging holds.
std::unique_ptr<compute_device> narrow_device() {
  return std::make_unique<cuda_device>(cuda_options{.staging_bytes = 1});
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
  explicit late_device(pace how) { cuda::emulation::set_pace(how); }
  ~late_device() { cuda::emulation::set_pace(pace::at_once); }
};

constexpr pace late_paces[] = {pace::as_needed, pace::others_first};

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
    const late_device late{pace::as_needed};
    expect_same(expected, run_one_by_one(script, device));
    expect_same(expected, run_pipelined(script, device));
  }
}

BOOST_AUTO_TEST_CASE(so_does_one_that_hurries_with_swapped_pages) {
  const auto script = random_script(tiny_model({}), {.seed = 5});
  const auto expected = run_one_by_one(script, device);
  const late_device late{pace::others_first};
  expect_same(expected, run_pipelined(script, device));
  expect_same(expected, run_pipelined(script, narrow_device));
}

BOOST_AUTO_TEST_CASE(so_it_does_where_tokens_are_missing) {
  for (const std::uint32_t seed : {7u, 8u}) {
    const auto script = random_script(poisoned_model(17),
                                      {.seed = seed, .penalties = seed > 7});
    const auto expected = run_one_by_one(script, device);
    const late_device late{pace::as_needed};
    expect_same(expected, run_pipelined(script, device));
  }
}

// Penalties look at all tokens, even at those that nobody has read.
BOOST_AUTO_TEST_CASE(no_decode_waits_for_the_one_before) {
  constexpr std::uint64_t steps = 20;
  const late_device late{pace::as_needed};
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

BOOST_AUTO_TEST_CASE(a_lane_does_not_go_before_its_last_page_has_arrived) {
  const late_device late{pace::as_needed};
  const auto before = cuda::emulation::calls_dropped();
  {
    engine runs{device()};
    runs.add_lane(tiny_model({}), {.kv_pages = 8, .host_slots = 4});
    plan_driver driver{runs, 0};
    driver.plan().swaps_out.push_back(messages::PageSwap{1, 2});
    driver.run();
  }
  BOOST_TEST(cuda::emulation::calls_dropped() == before);
}

BOOST_AUTO_TEST_CASE(pages_move_in_order_however_late_a_stream_is) {
  const kv_shape shape{.layers = 2,
                       .kv_heads = 1,
                       .head_dim = 16,
                       .pages = 7,
                       .page_tokens = 8,
                       .type = dtype::f16};
  for (const auto how : late_paces) {
    const late_device late{how};
    for (const std::uint32_t staging : {1, 2, 4, 9})
      for (std::uint32_t seed = 1; seed <= 4; ++seed)
        check_page_moves(
            {.shape = shape, .staging_pages = staging, .seed = seed});
  }
}

BOOST_AUTO_TEST_SUITE_END()
