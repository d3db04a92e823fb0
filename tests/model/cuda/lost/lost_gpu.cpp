// SPDX-License-Identifier: Apache-2.0
// A real GPU, lost by a kernel that reads where nothing is. A program of its
// own: where the driver does not give the process another life, nothing after
// it could be tested.
#include "kernels/cuda/ops.hpp"
#include "model/cuda/cuda_device.hpp"
#include "tests/model/engine/plan_driver.hpp"
#include "tests/model/engine/tiny_model.hpp"

#include <boost/test/unit_test.hpp>

using namespace sluice;
using namespace sluice::test;

namespace {

bool is_sticky(const device_error& error) {
  return error.sticky();
}

void lose_gpu() {
  cuda::stream work;
  const auto nowhere = std::uintptr_t{1} << 12;
  cuda::rope_angles({.positions = reinterpret_cast<std::int32_t*>(nowhere),
                     .inv_freq = reinterpret_cast<float*>(nowhere),
                     .rows = 1,
                     .rotary_dim = 16,
                     .cos_sin = reinterpret_cast<float*>(nowhere)},
                    work);
  work.wait();
}

} // namespace

BOOST_AUTO_TEST_SUITE(cuda_lost_gpu)

BOOST_AUTO_TEST_CASE(its_next_life_is_as_good) {
  engine device{device_source{
      .make = [] { return std::make_unique<cuda_device>(cuda_options{}); },
      .reset = [] { cuda::reset_device(0); }}};
  device.add_lane(tiny_model({}), {.kv_pages = 8, .max_step_tokens = 16});
  const auto run = [&] {
    plan_driver driver{device, 0};
    return run_alone(driver, {.key = 1, .prompt = {1, 2, 3}, .seed = 9}, 5)
        .tokens;
  };
  const auto tokens = run();
  for (int life = 1; life <= 3; ++life) {
    BOOST_CHECK_EXCEPTION(lose_gpu(), device_error, is_sticky);
    BOOST_CHECK_EXCEPTION(run(), device_error, is_sticky);
    BOOST_REQUIRE_NO_THROW(device.renew());
    BOOST_TEST(run() == tokens, boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_SUITE_END()
