// SPDX-License-Identifier: Apache-2.0
// An engine whose GPU is lost in the midst of a step.
#include "kernels/cuda/emulation/faults.hpp"
#include "model/cuda/cuda_device.hpp"
#include "tests/model/engine/plan_driver.hpp"
#include "tests/model/engine/tiny_model.hpp"

#include <boost/test/unit_test.hpp>

#include <utility>

using namespace sluice;
using namespace sluice::test;
namespace emulation = cuda::emulation;

namespace {

constexpr std::uint32_t generated = 5;

constexpr auto no_end = ~std::uint64_t{0} >> 1;

struct lost_gpu {
  lost_gpu() {
    for (std::uint64_t seed = 1; seed <= 2; ++seed)
      device.add_lane(tiny_model({.seed = seed}),
                      {.kv_pages = 8, .max_step_tokens = 16});
  }

  ~lost_gpu() { emulation::lose_device_after(no_end); }

  device_source emulated_gpu() {
    return {
        .make = [] { return std::make_unique<cuda_device>(cuda_options{}); },
        .reset =
            [this] {
              cuda::reset_device(0);
              emulation::lose_device_after(
                  std::exchange(calls_of_next_life, no_end));
            }};
  }

  generation run(std::uint32_t lane) {
    plan_driver driver{device, lane};
    return run_alone(driver, {.key = 1, .prompt = {1, 2, 3}, .seed = 9},
                     generated);
  }

  std::uint64_t calls_of_next_life = no_end;
  engine device{emulated_gpu()};
};

bool is_sticky(const device_error& error) {
  return error.sticky();
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(cuda_lost_device, lost_gpu)

BOOST_AUTO_TEST_CASE(wherever_it_is_lost_its_next_life_is_as_good) {
  const auto before = emulation::calls();
  const auto first = run(0).tokens;
  const auto second = run(1).tokens;
  const auto calls = emulation::calls() - before;
  BOOST_REQUIRE(calls > 100u);
  for (const auto last : {std::uint64_t{0}, std::uint64_t{1}, calls / 7,
                          calls / 3, calls / 2, calls - 1}) {
    emulation::lose_device_after(last);
    BOOST_CHECK_EXCEPTION((run(0), run(1)), device_error, is_sticky);
    BOOST_CHECK_EXCEPTION(run(0), device_error, is_sticky); // it stays lost
    device.renew();
    BOOST_TEST(run(0).tokens == first, boost::test_tools::per_element());
    BOOST_TEST(run(1).tokens == second, boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_CASE(a_life_that_does_not_begin_can_be_tried_again) {
  const auto tokens = run(0).tokens;
  emulation::lose_device_after(0);
  BOOST_CHECK_EXCEPTION(run(0), device_error, is_sticky);
  calls_of_next_life = 3; // its weights are on their way
  BOOST_CHECK_EXCEPTION(device.renew(), device_error, is_sticky);
  device.renew();
  BOOST_TEST(run(0).tokens == tokens, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
