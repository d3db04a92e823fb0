// SPDX-License-Identifier: Apache-2.0
#include "memory/page_pool.hpp"

#include "kernels/check.hpp"

#include <boost/test/unit_test.hpp>

#include <set>

using sluice::page_id;
using sluice::page_pool;

BOOST_AUTO_TEST_SUITE(page_pool_test)

BOOST_AUTO_TEST_CASE(every_page_is_given_once) {
  page_pool pool{5};
  const auto first = pool.take(2).value();
  const auto second = pool.take(3).value();
  std::set<page_id> all(first.begin(), first.end());
  all.insert(second.begin(), second.end());
  BOOST_TEST(all == (std::set<page_id>{0, 1, 2, 3, 4}),
             boost::test_tools::per_element());
  BOOST_TEST(first.front() == 0u);
}

BOOST_AUTO_TEST_CASE(a_shortage_takes_nothing) {
  page_pool pool{3};
  pool.take(2);
  BOOST_TEST(!pool.take(2).has_value());
  BOOST_TEST(pool.free_list().size() == 1u);
}

BOOST_AUTO_TEST_CASE(pages_that_come_back_are_given_again_first) {
  page_pool pool{4};
  const auto taken = pool.take(3).value();
  pool.put_back(taken);
  BOOST_TEST(pool.take(3).value() == taken, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(strangers_and_surplus_are_refused) {
  page_pool pool{2};
  const std::vector<page_id> page{0};
  BOOST_CHECK_THROW(pool.put_back(page), sluice::contract_violation);
  pool.take(1);
  const std::vector<page_id> outside{2};
  BOOST_CHECK_THROW(pool.put_back(outside), sluice::contract_violation);
}

BOOST_AUTO_TEST_SUITE_END()
