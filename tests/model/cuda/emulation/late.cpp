// SPDX-License-Identifier: Apache-2.0
// The device does nothing until somebody waits for it: what the host changes,
// or reads, too soon shows in the answers.
#include "kernels/cuda/emulation/launch_emulated.hpp"
#include "model/cuda/cuda_device.hpp"
#include "tests/model/cuda/pipelined_runs.hpp"

#include <boost/test/unit_test.hpp>

using namespace sluice;
using namespace sluice::test;

namespace {

std::unique_ptr<compute_device> device() {
  return std::make_unique<cuda_device>(cuda_options{});
}

struct late_device {
  late_device() { cuda::emulation::work_late(true); }
  ~late_device() { cuda::emulation::work_late(false); }
};

} // namespace

BOOST_AUTO_TEST_SUITE(cuda_late)

BOOST_AUTO_TEST_CASE(a_device_that_is_always_late_gives_the_same_results) {
  for (const std::uint32_t seed : {4u, 5u}) {
    const auto script = random_script(tiny_model({}), {.seed = seed});
    const auto expected = run_one_by_one(script, device);
    const late_device late;
    expect_same(expected, run_one_by_one(script, device));
    expect_same(expected, run_pipelined(script, device));
  }
}

BOOST_AUTO_TEST_CASE(so_it_does_where_tokens_are_missing) {
  const auto script = random_script(poisoned_model(17), {.seed = 7});
  const auto expected = run_one_by_one(script, device);
  const late_device late;
  expect_same(expected, run_pipelined(script, device));
}

BOOST_AUTO_TEST_SUITE_END()
