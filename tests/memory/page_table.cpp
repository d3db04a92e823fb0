// SPDX-License-Identifier: Apache-2.0
#include "memory/page_table.hpp"

#include "kernels/check.hpp"

#include <boost/test/unit_test.hpp>

#include <array>

using sluice::page_id;
using sluice::page_table;

BOOST_AUTO_TEST_SUITE(page_table_test)

BOOST_AUTO_TEST_CASE(positions_map_to_slots) {
  page_table table{16};
  const std::array<page_id, 2> pages{5, 2};
  BOOST_TEST(table.apply(0, pages));
  BOOST_TEST(table.slot(0) == 80);
  BOOST_TEST(table.slot(15) == 95);
  BOOST_TEST(table.slot(16) == 32);
  BOOST_TEST(table.capacity_tokens() == 32u);
  BOOST_CHECK_THROW(table.slot(32), sluice::contract_violation);
}

BOOST_AUTO_TEST_CASE(deltas_append_or_replace_the_end) {
  page_table table{8};
  BOOST_TEST(table.apply(0, std::array<page_id, 2>{1, 2}));
  BOOST_TEST(table.apply(2, std::array<page_id, 1>{3}));
  BOOST_TEST(table.apply(1, std::array<page_id, 1>{9}));
  BOOST_TEST(table.pages() == (std::array<page_id, 2>{1, 9}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_delta_that_leaves_a_hole_is_refused) {
  page_table table{8};
  BOOST_TEST(!table.apply(1, std::array<page_id, 1>{3}));
  BOOST_TEST(table.pages().empty());
}

BOOST_AUTO_TEST_CASE(pages_for_rounds_up) {
  BOOST_TEST(page_table::pages_for(0, 16) == 0u);
  BOOST_TEST(page_table::pages_for(1, 16) == 1u);
  BOOST_TEST(page_table::pages_for(16, 16) == 1u);
  BOOST_TEST(page_table::pages_for(17, 16) == 2u);
}

BOOST_AUTO_TEST_SUITE_END()
