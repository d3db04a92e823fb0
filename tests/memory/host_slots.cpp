// SPDX-License-Identifier: Apache-2.0
#include "memory/host_slots.hpp"

#include "kernels/check.hpp"

#include <boost/test/unit_test.hpp>

using sluice::host_slots;

BOOST_AUTO_TEST_SUITE(host_slots_test)

BOOST_AUTO_TEST_CASE(slots_come_back_when_their_plan_is_done) {
  host_slots slots{4};
  auto taken = slots.take(3).value();
  BOOST_TEST(slots.used() == 3u);
  BOOST_TEST(!slots.take(2).has_value());
  slots.give_back(std::move(taken), 7);
  BOOST_TEST(slots.used() == 0u);
  BOOST_TEST(slots.free() == 1u);
  slots.settle(6);
  BOOST_TEST(!slots.take(2).has_value());
  slots.settle(7);
  BOOST_TEST(slots.free() == 4u);
}

BOOST_AUTO_TEST_CASE(slots_of_done_plans_are_free_at_once) {
  host_slots slots{2};
  slots.settle(5);
  slots.give_back(slots.take(2).value(), 5);
  BOOST_TEST(slots.free() == 2u);
}

BOOST_AUTO_TEST_CASE(more_than_was_taken_is_refused) {
  host_slots slots{2};
  BOOST_CHECK_THROW(slots.give_back({0}, 1), sluice::contract_violation);
}

BOOST_AUTO_TEST_SUITE_END()
