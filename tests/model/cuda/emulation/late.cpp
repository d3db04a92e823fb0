// SPDX-License-Identifier: Apache-2.0
// The device does nothing until somebody waits for it, and then one of its
// streams as late as it may: what the host, or another stream, changes or reads
// too soon shows in the answers.
#include "kernels/cuda/emulation/launch_emulated.hpp"
#include "model/cuda/cuda_device.hpp"
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

struct late_device {
  explicit late_device(pace how) { cuda::emulation::set_pace(how); }
  ~late_device() { cuda::emulation::set_pace(pace::at_once); }
};

constexpr pace late_paces[] = {pace::as_needed, pace::others_first};

} // namespace

BOOST_AUTO_TEST_SUITE(cuda_late)

BOOST_AUTO_TEST_CASE(a_device_that_is_always_late_gives_the_same_results) {
  const auto script = random_script(tiny_model({}), 4, 40);
  const auto expected = run_one_by_one(script, device);
  const late_device late{pace::as_needed};
  expect_same(expected, run_one_by_one(script, device));
  expect_same(expected, run_pipelined(script, device));
}

BOOST_AUTO_TEST_CASE(so_does_one_that_hurries_with_swapped_pages) {
  const auto script = random_script(tiny_model({}), 5, 40);
  const auto expected = run_one_by_one(script, device);
  const late_device late{pace::others_first};
  expect_same(expected, run_pipelined(script, device));
  expect_same(expected, run_pipelined(script, narrow_device));
}

BOOST_AUTO_TEST_CASE(so_it_does_where_tokens_are_missing) {
  const auto script = random_script(poisoned_model(17), 7, 40);
  const auto expected = run_one_by_one(script, device);
  const late_device late{pace::as_needed};
  expect_same(expected, run_pipelined(script, device));
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
