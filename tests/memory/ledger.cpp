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
  BOOST_TEST(sound(books, 2));
}

BOOST_AUTO_TEST_CASE(a_page_with_several_holders_is_free_after_the_last) {
  ledger books{4};
  const auto pages = books.claim(1, 2).value();
  books.share(2, pages);
  books.share(3, std::vector{pages[0]});
  BOOST_TEST((books.counts() == ledger_counts{.free = 2, .active = 2}));
  BOOST_TEST(books.account(pages[0]).holders() == 3u);
  BOOST_TEST(books.account(pages[0]).owner() == no_owner);
  books.release(1);
  BOOST_TEST(books.account(pages[1]).owner() == 2u);
  books.release(2);
  BOOST_TEST((books.counts() == ledger_counts{.free = 3, .active = 1}));
  BOOST_TEST(sound(books, 4));
  books.release(3);
  BOOST_TEST((books.counts() == ledger_counts{.free = 4}));
  BOOST_CHECK_THROW(books.share(1, pages), contract_violation);
}

BOOST_AUTO_TEST_CASE(the_state_follows_from_the_holds) {
  ledger books{2};
  const auto page = books.claim(1, 1)->front();
  books.mark_in_flight(1, 7);
  books.cache(page);
  BOOST_TEST((books.counts() == ledger_counts{.free = 1, .active = 1}));
  books.release(1);
  BOOST_TEST((books.counts() == ledger_counts{.free = 1, .in_flight = 1}));
  BOOST_TEST(books.take_idle().empty());
  books.settle(7);
  BOOST_TEST((books.counts() == ledger_counts{.free = 1, .cached = 1}));
  BOOST_TEST(books.take_idle() == std::vector{page},
             boost::test_tools::per_element());
  books.pin(page, true);
  BOOST_TEST((books.counts() == ledger_counts{.free = 1, .pinned = 1}));
  books.share(2, std::vector{page});
  BOOST_TEST((books.counts() == ledger_counts{.free = 1, .active = 1}));
  books.release(2);
  books.uncache(page);
  BOOST_TEST((books.counts() == ledger_counts{.free = 2}));
  BOOST_TEST(sound(books, 2));
  BOOST_CHECK_THROW(books.cache(page), contract_violation);
}

BOOST_AUTO_TEST_CASE(a_renewed_entry_leaves_its_page_in_flight) {
  ledger books{3};
  const auto pages = books.claim(1, 2).value();
  books.mark_in_flight(1, 4);
  const auto fresh = books.renew(1, 0).value();
  BOOST_TEST(books.pages_of(1)[0] == fresh);
  BOOST_TEST(books.pages_of(1)[1] == pages[1]);
  BOOST_TEST((books.counts() == ledger_counts{.active = 2, .in_flight = 1}));
  BOOST_TEST(!books.renew(1, 1).has_value());
  BOOST_CHECK_THROW(books.renew(1, 2), contract_violation);
  books.settle(4);
  BOOST_TEST(books.free_pages() == 1u);
  BOOST_TEST(sound(books, 3));
}

BOOST_AUTO_TEST_CASE(shortening_keeps_the_first_pages) {
  ledger books{4};
  const auto pages = books.claim(1, 3).value();
  books.shorten(1, 5);
  books.shorten(1, 1);
  BOOST_TEST(books.pages_of(1).size() == 1u);
  BOOST_TEST(books.pages_of(1)[0] == pages[0]);
  BOOST_TEST(books.free_pages() == 3u);
  BOOST_TEST(sound(books, 4));
}

BOOST_AUTO_TEST_CASE(page_seconds_are_pages_held_over_time) {
  using namespace std::chrono_literals;
  ledger books{8};
  books.advance(10s);
  const auto pages = books.claim(1, 2).value();
  books.advance(13s);
  books.advance(11s); // time never goes back
  BOOST_TEST(books.page_seconds(1) == 6.0);
  books.share(2, pages);
  books.claim(1, 1);
  books.advance(14s);
  BOOST_TEST(books.page_seconds(1) == 9.0);
  BOOST_TEST(books.page_seconds(2) == 2.0); // charged in full
  books.shorten(1, 0);
  books.advance(20s);
  BOOST_TEST(books.page_seconds(1) == 9.0);
  BOOST_TEST(books.page_seconds(7) == 0.0);
}

BOOST_AUTO_TEST_CASE(check_finds_a_page_recorded_as_free_while_it_is_held) {
  ledger books{4};
  const auto pages = books.claim(7, 2).value();
  books.corrupt_for_test(pages[1], page_account::unused());
  BOOST_TEST(!books.sums_agree());
  const auto problems = books.check();
  BOOST_REQUIRE(problems.size() == 1u);
  BOOST_TEST(problems[0].page == pages[1]);
  BOOST_TEST((problems[0].recorded == page_account::unused()));
  BOOST_TEST((problems[0].listed == page_account::held_by(7)));
  BOOST_TEST(describe(problems[0]) ==
             "page 1: recorded free, listed as active of 7; owners 7");
  BOOST_TEST(books.counts().sum() == 4u);
}

BOOST_AUTO_TEST_CASE(check_finds_a_page_recorded_for_another_owner) {
  ledger books{4};
  const auto pages = books.claim(7, 1).value();
  books.claim(8, 1);
  books.corrupt_for_test(pages[0], page_account::held_by(8));
  BOOST_REQUIRE(books.check().size() == 1u);
  BOOST_TEST(books.check()[0].owners == (std::vector<owner_id>{7, 8}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_disputed_page_is_never_freed_by_release) {
  ledger books{4};
  const auto pages = books.claim(7, 2).value();
  books.corrupt_for_test(pages[0], page_account::held_by(8));
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
  books.corrupt_for_test(pages[0], page_account::held_by(8));
  BOOST_TEST(books.repair().owners == (std::vector<owner_id>{7, 8}),
             boost::test_tools::per_element());
  BOOST_TEST((books.counts() ==
              ledger_counts{.free = 2, .active = 1, .in_flight = 3}));
  BOOST_TEST(sound(books, 6));
  books.settle(20);
  books.release(9);
  BOOST_TEST((books.counts() == ledger_counts{.free = 6}));
  BOOST_TEST(books.repair().owners.empty());
}

BOOST_AUTO_TEST_CASE(repair_mends_free_pages_that_were_recorded_as_taken) {
  ledger books{3};
  books.corrupt_for_test(2, {.active = 1, .owners = 5});
  BOOST_TEST(books.check().size() == 1u);
  BOOST_TEST(books.repair().owners.empty());
  BOOST_TEST(sound(books, 3));
  books.settle(0);
  BOOST_TEST(books.free_pages() == 3u);
}

BOOST_AUTO_TEST_CASE(a_leak_is_found_by_the_sums_and_named) {
  ledger books{4};
  const auto pages = books.claim(7, 2).value();
  books.claim(8, 1);
  BOOST_TEST(books.sums_agree());
  books.leak_for_test(7);
  BOOST_TEST(!books.sums_agree());
  BOOST_TEST(describe(books.check().at(0)) ==
             "page 1: recorded active of 7, listed as nowhere; owners 7");
  const auto repaired = books.repair();
  BOOST_TEST(repaired.owners == std::vector<owner_id>{7},
             boost::test_tools::per_element());
  BOOST_TEST(sound(books, 4));
  books.settle(0);
  BOOST_TEST((books.counts() == ledger_counts{.free = 3, .active = 1}));
}

BOOST_AUTO_TEST_CASE(who_shares_a_page_with_a_leak_goes_on) {
  ledger books{4};
  const auto pages = books.claim(7, 1).value();
  for (const auto owner : {8, 9})
    books.share(owner, pages);
  books.leak_for_test(8);
  const auto repaired = books.repair();
  BOOST_TEST(repaired.owners == std::vector<owner_id>{8},
             boost::test_tools::per_element());
  BOOST_TEST(books.account(pages[0]).holders() == 2u);
  BOOST_TEST(sound(books, 4));
}

BOOST_AUTO_TEST_CASE(repair_takes_a_disputed_page_out_of_the_cache) {
  ledger books{4};
  const auto pages = books.claim(7, 2).value();
  for (const auto page : pages)
    books.cache(page);
  books.corrupt_for_test(pages[0], page_account::held_by(8));
  const auto repaired = books.repair();
  BOOST_TEST(repaired.owners == std::vector<owner_id>{7},
             boost::test_tools::per_element());
  BOOST_TEST(repaired.pages == std::vector{pages[0]},
             boost::test_tools::per_element());
  books.settle(0);
  BOOST_TEST((books.counts() == ledger_counts{.free = 3, .cached = 1}));
  BOOST_TEST(sound(books, 4));
}

BOOST_AUTO_TEST_CASE(a_page_twice_in_one_list_is_in_doubt) {
  ledger books{4};
  const auto pages = books.claim(7, 1).value();
  books.share(7, pages);
  BOOST_TEST(books.check().size() == 1u);
  BOOST_TEST(books.repair().owners == std::vector<owner_id>{7},
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(random_traffic_keeps_the_books_sound) {
  std::mt19937 random{1};
  ledger books{64};
  std::uint64_t plan = 1;
  for (int i = 0; i < 5000; ++i) {
    const owner_id owner = random() % 12;
    const owner_id other = random() % 12;
    switch (random() % 8) {
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
      books.shorten(owner, random() % 8);
      break;
    case 5:
      if (owner != other && books.pages_of(owner).empty())
        books.share(owner, books.pages_of(other));
      break;
    case 6:
      for (const auto page : books.pages_of(owner))
        books.cache(page);
      for (const auto page : books.take_idle())
        if (books.account(page).holders() == 0)
          books.uncache(page);
      break;
    case 7:
      books.settle(plan - random() % std::min<std::uint64_t>(plan, 4));
      break;
    }
    BOOST_REQUIRE(sound(books, 64));
    BOOST_REQUIRE(books.sums_agree());
  }
  for (owner_id owner = 0; owner < 12; ++owner)
    books.release(owner);
  books.settle(plan);
  for (const auto page : books.take_idle())
    books.uncache(page);
  BOOST_TEST((books.counts() == ledger_counts{.free = 64}));
}

BOOST_AUTO_TEST_SUITE_END()
