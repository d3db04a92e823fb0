// SPDX-License-Identifier: Apache-2.0
#include "actors/frame_credit.hpp"

#include <boost/test/unit_test.hpp>

namespace {

using namespace sluice::actors;

BOOST_AUTO_TEST_SUITE(frame_credit_suite)

BOOST_AUTO_TEST_CASE(the_reader_is_woken_when_it_may_read_again) {
  int wakes = 0;
  frame_credit credit{2, [&wakes] { ++wakes; }};
  credit.take();
  BOOST_TEST(credit.available());
  credit.take();
  BOOST_TEST(!credit.available());
  credit.give_back();
  BOOST_TEST(wakes == 1);
  BOOST_TEST(credit.available());
  credit.give_back(); // it was not waiting for this one
  BOOST_TEST(wakes == 1);
  BOOST_TEST(credit.in_use() == 0u);
}

BOOST_AUTO_TEST_CASE(credit_goes_back_even_if_the_handler_throws) {
  frame_credit credit{1};
  credit.take();
  try {
    const credit_return done{credit};
    throw 1;
  } catch (int) {
  }
  BOOST_TEST(credit.in_use() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
