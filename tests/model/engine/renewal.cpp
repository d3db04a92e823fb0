// SPDX-License-Identifier: Apache-2.0
// An engine whose device is lost, and made anew.
#include "model/engine.hpp"

#include "kernels/check.hpp"
#include "tests/model/engine/plan_driver.hpp"
#include "tests/model/engine/tiny_model.hpp"
#include "tests/support/lossy_device.hpp"

#include <boost/test/unit_test.hpp>

using namespace sluice;
using namespace sluice::test;

namespace {

constexpr std::uint32_t generated = 6;

struct renewed_engine {
  renewed_engine() {
    for (std::uint64_t seed = 1; seed <= 2; ++seed)
      device.add_lane(tiny_model({.seed = seed}),
                      {.kv_pages = 8, .max_step_tokens = 16});
  }

  std::vector<std::uint32_t> run(std::uint32_t lane) {
    plan_driver driver{device, lane};
    return run_alone(driver, {.key = 1, .prompt = {1, 2, 3}, .seed = 9},
                     generated)
        .tokens;
  }

  tests::loss_script_ptr losses = std::make_shared<tests::loss_script>();
  int resets = 0;
  engine device{device_source{.make =
                                  [wrap = tests::losing(losses)] {
                                    return wrap(std::make_unique<cpu_device>(
                                        engine_options{}));
                                  },
                              .reset = [this] { ++resets; }}};
};

bool is_sticky(const device_error& error) {
  return error.sticky();
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(engine_renewal, renewed_engine)

BOOST_AUTO_TEST_CASE(every_lane_is_as_new) {
  const auto first = run(0);
  const auto second = run(1);
  losses->fatal = {losses->steps + 3};
  BOOST_CHECK_EXCEPTION(run(0), device_error, is_sticky);
  BOOST_CHECK_EXCEPTION(run(0), device_error, is_sticky);
  BOOST_TEST(resets == 0);
  device.renew();
  BOOST_TEST(resets == 1);
  BOOST_TEST(device.lanes() == 2u);
  BOOST_TEST(run(0) == first, boost::test_tools::per_element());
  BOOST_TEST(run(1) == second, boost::test_tools::per_element());
  BOOST_TEST(device.facts(1).kv_pages == 8u);
}

BOOST_AUTO_TEST_CASE(it_can_be_tried_again) {
  const auto tokens = run(0);
  losses->fatal = {losses->steps + 1};
  BOOST_CHECK_EXCEPTION(run(0), device_error, is_sticky);
  losses->stillborn = 2;
  BOOST_CHECK_EXCEPTION(device.renew(), device_error, is_sticky);
  BOOST_CHECK_EXCEPTION(device.renew(), device_error, is_sticky);
  device.renew();
  BOOST_TEST(run(0) == tokens, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(other_errors_are_the_steps_own) {
  losses->sticky = false;
  losses->fatal = {1};
  plan_driver driver{device, 0};
  driver.join({.key = 1, .prompt = {1, 2, 3}, .sampling = greedy()});
  driver.add({1, 0, {1, 2, 3}, 2});
  const auto failed = driver.run();
  BOOST_TEST((failed.code == messages::ErrorCode::executor_failed));
  driver.add({1, 0, {1, 2, 3}, 2});
  BOOST_TEST((driver.run().code == messages::ErrorCode::none));
}

BOOST_AUTO_TEST_CASE(a_device_without_a_source_is_lost_for_good) {
  engine plain{engine_options{}};
  BOOST_CHECK_THROW(plain.renew(), contract_violation);
}

BOOST_AUTO_TEST_SUITE_END()
