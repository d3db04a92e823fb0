// SPDX-License-Identifier: Apache-2.0
#include "memory/ledger.hpp"

#include "kernels/check.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <random>

using namespace sluice;

namespace {

bool sound(const ledger& books, std::uint32_t pool) {
  return books.check().empty() && books.counts().sum() == pool;
}

} // namespace

BOOST_AUTO_TEST_SUITE(ledger_test)

BOOST_AUTO_TEST_CASE(claim_and_release_move_pages_between_states) {
  ledger books{8};
  BOOST_TEST(books.claim(1, 3)->size() == 3u);
  BOOST_TEST((books.counts() == ledger_counts{.free = 5, .active = 3}));
  books.release(1);
  BOOST_TEST((books.counts() == ledger_counts{.free = 8}));
  BOOST_TEST(sound(books, 8));
}

BOOST_AUTO_TEST_CASE(a_short_pool_changes_nothing) {
  ledger books{4};
  books.claim(1, 3);
  BOOST_TEST(!books.claim(2, 2).has_value());
  BOOST_TEST(books.pages_of(2).empty());
  BOOST_TEST((books.counts() == ledger_counts{.free = 1, .active = 3}));
}

BOOST_AUTO_TEST_CASE(pages_wait_for_the_last_plan_that_names_their_owner) {
  ledger books{4};
  books.claim(1, 2);
  books.mark_in_flight(1, 10);
  books.mark_in_flight(1, 11);
  books.settle(10);
  books.release(1);
  BOOST_TEST((books.counts() == ledger_counts{.free = 2, .in_flight = 2}));
  BOOST_TEST(sound(books, 4));
  books.settle(11);
  BOOST_TEST((books.counts() == ledger_counts{.free = 4}));
}

BOOST_AUTO_TEST_CASE(pages_of_settled_plans_are_free_at_once) {
  ledger books{4};
  books.claim(1, 2);
  books.mark_in_flight(1, 10);
  books.settle(10);
  books.release(1);
  BOOST_TEST(books.free_pages() == 4u);
}

BOOST_AUTO_TEST_CASE(a_key_can_come_back_while_its_old_pages_fly) {
  ledger books{4};
  const auto old = books.claim(1, 2).value();
  books.mark_in_flight(1, 5);
  books.release(1);
  const auto fresh = books.claim(1, 2).value();
  for (const auto page : fresh)
    BOOST_TEST(std::count(old.begin(), old.end(), page) == 0);
  BOOST_TEST(sound(books, 4));
  books.settle(5);
  BOOST_TEST((books.counts() == ledger_counts{.free = 2, .active = 2}));
  BOOST_TEST(books.pages_of(1).size() == 2u);
}

BOOST_AUTO_TEST_CASE(owners_without_pages_are_ignored) {
  ledger books{2};
  books.mark_in_flight(9, 1);
  books.release(9);
  books.restate(9, page_state::cached);
  BOOST_TEST(sound(books, 2));
}

BOOST_AUTO_TEST_CASE(pages_can_be_cached_and_pinned) {
  ledger books{4};
  books.claim(1, 2);
  books.claim(2, 1);
  books.restate(1, page_state::cached);
  books.restate(2, page_state::pinned);
  BOOST_TEST(
      (books.counts() == ledger_counts{.free = 1, .cached = 2, .pinned = 1}));
  books.claim(1, 1);
  BOOST_TEST(books.counts().cached == 3u);
  BOOST_TEST(sound(books, 4));
  books.release(1);
  BOOST_TEST(books.free_pages() == 3u);
  BOOST_CHECK_THROW(books.restate(2, page_state::free), contract_violation);
}

BOOST_AUTO_TEST_CASE(check_finds_a_page_recorded_as_free_while_it_is_held) {
  ledger books{4};
  const auto pages = books.claim(7, 2).value();
  books.corrupt_for_test(pages[1], {});
  const auto problems = books.check();
  BOOST_REQUIRE(problems.size() == 1u);
  BOOST_TEST(problems[0].page == pages[1]);
  BOOST_TEST((problems[0].recorded == page_record{}));
  BOOST_TEST((problems[0].found == page_record{page_state::active, 7}));
  BOOST_TEST(describe(problems[0]) ==
             "page 1: recorded free, found 1 times, last active of 7");
  BOOST_TEST(books.counts().sum() == 4u);
}

BOOST_AUTO_TEST_CASE(check_finds_a_page_recorded_for_another_owner) {
  ledger books{4};
  const auto pages = books.claim(7, 1).value();
  books.claim(8, 1);
  books.corrupt_for_test(pages[0], {page_state::active, 8});
  BOOST_REQUIRE(books.check().size() == 1u);
  BOOST_TEST(books.check()[0].recorded.owner == 8u);
  BOOST_TEST(books.check()[0].found.owner == 7u);
}

BOOST_AUTO_TEST_CASE(a_disputed_page_is_never_freed_by_release) {
  ledger books{4};
  const auto pages = books.claim(7, 2).value();
  books.corrupt_for_test(pages[0], {page_state::active, 8});
  books.release(7);
  BOOST_TEST(books.free_pages() == 3u);
  BOOST_TEST(books.check().size() == 1u);
}

BOOST_AUTO_TEST_CASE(repair_takes_everything_from_those_involved) {
  ledger books{6};
  const auto pages = books.claim(7, 2).value();
  books.claim(8, 1);
  books.claim(9, 1);
  for (const auto owner : {7, 8, 9})
    books.mark_in_flight(owner, 20);
  books.corrupt_for_test(pages[0], {page_state::active, 8});
  BOOST_TEST(books.repair() == (std::vector<owner_id>{7, 8}),
             boost::test_tools::per_element());
  BOOST_TEST((books.counts() ==
              ledger_counts{.free = 2, .active = 1, .in_flight = 3}));
  BOOST_TEST(sound(books, 6));
  books.settle(20);
  books.release(9);
  BOOST_TEST((books.counts() == ledger_counts{.free = 6}));
  BOOST_TEST(books.repair().empty());
}

BOOST_AUTO_TEST_CASE(repair_mends_free_pages_that_were_recorded_as_taken) {
  ledger books{3};
  books.corrupt_for_test(2, {page_state::pinned, 5});
  BOOST_TEST(books.check().size() == 1u);
  BOOST_TEST(books.repair().empty());
  BOOST_TEST(sound(books, 3));
  books.settle(0);
  BOOST_TEST(books.free_pages() == 3u);
}

BOOST_AUTO_TEST_CASE(random_traffic_keeps_the_books_sound) {
  std::mt19937 random{1};
  ledger books{64};
  std::uint64_t plan = 1;
  for (int i = 0; i < 5000; ++i) {
    const owner_id owner = random() % 12;
    switch (random() % 5) {
    case 0:
    case 1:
      books.claim(owner, random() % 6);
      break;
    case 2:
      books.mark_in_flight(owner, plan++);
      break;
    case 3:
      books.release(owner);
      break;
    case 4:
      books.settle(plan - random() % std::min<std::uint64_t>(plan, 4));
      break;
    }
    BOOST_REQUIRE(sound(books, 64));
  }
  for (owner_id owner = 0; owner < 12; ++owner)
    books.release(owner);
  books.settle(plan);
  BOOST_TEST((books.counts() == ledger_counts{.free = 64}));
}

BOOST_AUTO_TEST_SUITE_END()
