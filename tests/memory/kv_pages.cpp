// SPDX-License-Identifier: Apache-2.0
#include "memory/kv_pages.hpp"

#include "kernels/check.hpp"

#include <boost/test/unit_test.hpp>

using sluice::kv_pages;
using sluice::ledger_counts;
using sluice::page_account;

BOOST_AUTO_TEST_SUITE(kv_pages_test)

BOOST_AUTO_TEST_CASE(grants_follow_the_need) {
  struct step {
    std::uint32_t tokens; // needed so far
    std::uint32_t first;  // entry where the new pages go
    std::size_t new_pages;
  };
  kv_pages pages{8, 16};
  std::uint64_t plan = 0;
  for (const auto& [tokens, first, count] :
       {step{1, 0, 1}, step{16, 1, 0}, step{17, 1, 1}, step{64, 2, 2},
        step{3, 4, 0}}) {
    const auto delta = pages.grant({.sequence = 3, .tokens = tokens}, ++plan);
    BOOST_REQUIRE(delta.has_value());
    BOOST_TEST(delta->sequence == 3u);
    BOOST_TEST(delta->first == first);
    BOOST_TEST(delta->pages.size() == count);
  }
  BOOST_TEST(pages.free_pages() == 4u);
  BOOST_TEST(pages.check().empty());
}

BOOST_AUTO_TEST_CASE(a_short_pool_makes_the_sequence_wait) {
  kv_pages pages{4, 16};
  pages.grant({1, 48}, 1);
  BOOST_TEST(!pages.grant({2, 32}, 1).has_value());
  BOOST_TEST((pages.counts() == ledger_counts{.free = 1, .active = 3}));
  BOOST_TEST(pages.grant({2, 16}, 1)->pages.size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_refused_need_does_not_name_its_plan) {
  kv_pages pages{2, 16};
  pages.grant({1, 16}, 1);
  BOOST_TEST(!pages.grant({1, 64}, 2).has_value());
  pages.plans_done(1);
  pages.release(1);
  BOOST_TEST(pages.free_pages() == 2u);
}

BOOST_AUTO_TEST_CASE(released_pages_fly_until_their_plans_are_done) {
  kv_pages pages{4, 16};
  pages.grant({1, 16}, 1);
  pages.grant({1, 17}, 2);
  pages.grant({1, 18}, 3); // names the sequence though nothing is new
  pages.release(1);
  pages.plans_done(2);
  BOOST_TEST((pages.counts() == ledger_counts{.free = 2, .in_flight = 2}));
  BOOST_TEST(!pages.grant({2, 48}, 4).has_value());
  pages.plans_done(3);
  BOOST_TEST(pages.grant({2, 48}, 4).has_value());
}

BOOST_AUTO_TEST_CASE(strangers_can_be_released) {
  kv_pages pages{2, 16};
  pages.release(77);
  BOOST_TEST((pages.counts() == ledger_counts{.free = 2}));
}

BOOST_AUTO_TEST_CASE(a_sequence_without_tokens_needs_no_page) {
  kv_pages pages{1, 16};
  const auto delta = pages.grant({.sequence = 1, .tokens = 0}, 1);
  BOOST_REQUIRE(delta.has_value());
  BOOST_TEST(delta->pages.empty());
  BOOST_TEST(pages.check().empty());
}

BOOST_AUTO_TEST_CASE(repair_names_the_sequences_that_must_fail) {
  kv_pages pages{4, 16};
  const auto page = pages.grant({1, 16}, 1)->pages.front();
  pages.grant({2, 16}, 1);
  pages.books_for_test().corrupt_for_test(page, page_account::unused());
  BOOST_TEST(pages.check().size() == 1u);
  BOOST_TEST(pages.repair() == std::vector<std::uint64_t>{1},
             boost::test_tools::per_element());
  BOOST_TEST(pages.check().empty());
  pages.plans_done(1);
  BOOST_TEST((pages.counts() == ledger_counts{.free = 3, .active = 1}));
}

BOOST_AUTO_TEST_CASE(a_page_of_no_tokens_is_refused) {
  BOOST_CHECK_THROW(kv_pages(1, 0), sluice::contract_violation);
}

BOOST_AUTO_TEST_SUITE_END()
