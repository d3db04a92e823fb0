// SPDX-License-Identifier: Apache-2.0
#include "memory/kv_pages.hpp"

#include <boost/test/unit_test.hpp>

#include <numeric>

using namespace sluice;
using namespace std::chrono_literals;

namespace {

using token_list = std::vector<std::uint32_t>;

const prefix_scope scope{.weights = "w"};

token_list counted(std::uint32_t count) {
  token_list result(count);
  std::iota(result.begin(), result.end(), 0);
  return result;
}

constexpr kv_pages_config small{
    .pool_pages = 8, .page_tokens = 4, .host_slots = 4};

/// A sequence that has computed some tokens, in plan 1.
kv_pages with_sequence(std::uint64_t key, std::uint32_t tokens,
                       const kv_pages_config& config = small) {
  kv_pages pages{config};
  pages.admit(key, scope, counted(tokens));
  BOOST_REQUIRE(pages.grant({key, tokens}, 1).has_value());
  pages.computed(key, tokens);
  pages.plans_done(1);
  return pages;
}

} // namespace

BOOST_AUTO_TEST_SUITE(kv_pages_moves_test)

BOOST_AUTO_TEST_CASE(children_share_the_prompt_and_copy_the_partial_page) {
  auto pages = with_sequence(1, 10);
  for (const auto child : {2, 3, 4})
    BOOST_TEST(pages.fork(1, child, 9));
  BOOST_TEST(pages.counts().active == 3u); // one prompt for four
  for (const auto child : {2, 3, 4}) {
    const auto delta = pages.grant({std::uint64_t(child), 10}, 2).value();
    BOOST_TEST(delta.first == 0u);
    BOOST_TEST(delta.pages.size() == 3u);
    BOOST_REQUIRE(delta.copies.size() == 1u);
    BOOST_TEST(delta.copies[0].from == pages.pages_of(1)[2]);
    BOOST_TEST(delta.copies[0].to == pages.pages_of(child)[2]);
  }
  BOOST_TEST(pages.counts().active == 6u);
  // The last one that is left writes in place.
  BOOST_TEST(pages.grant({1, 11}, 2)->copies.empty());
  BOOST_TEST(pages.check().empty());
}

BOOST_AUTO_TEST_CASE(a_fork_at_the_end_of_a_page_copies_nothing) {
  auto pages = with_sequence(1, 10);
  BOOST_TEST(pages.fork(1, 2, 8));
  const auto delta = pages.grant({2, 9}, 2).value();
  BOOST_TEST(delta.copies.empty());
  BOOST_TEST(delta.pages.size() == 3u);
}

BOOST_AUTO_TEST_CASE(forks_that_cannot_be) {
  auto pages = with_sequence(1, 10);
  BOOST_TEST(!pages.fork(9, 2, 1));  // no parent
  BOOST_TEST(!pages.fork(1, 1, 1));  // the child is known
  BOOST_TEST(!pages.fork(1, 2, 11)); // not computed
  BOOST_TEST(pages.fork(1, 2, 0));
  BOOST_TEST(pages.swap_out(1, 2).has_value());
  BOOST_TEST(!pages.fork(1, 3, 1)); // swapped
  BOOST_TEST(pages.check().empty());
}

BOOST_AUTO_TEST_CASE(what_children_compute_is_found) {
  auto pages = with_sequence(1, 10);
  pages.fork(1, 2, 6); // in the middle of a page that is cached
  pages.extend(2, token_list{70, 71});
  BOOST_TEST(pages.grant({2, 8}, 2)->copies.size() == 1u);
  pages.computed(2, 8);
  pages.plans_done(2);
  pages.release(2);
  BOOST_TEST(pages.admit(3, scope, token_list{0, 1, 2, 3, 4, 5, 70, 71, 72})
                 .matched_tokens == 8u);
  BOOST_TEST(pages.admit(4, scope, counted(9)).matched_tokens == 8u);
}

BOOST_AUTO_TEST_CASE(pages_go_out_and_come_back_in_order) {
  auto pages = with_sequence(1, 10);
  const std::vector<page_id> before{pages.pages_of(1).begin(),
                                    pages.pages_of(1).end()};
  const auto out = pages.swap_out(1, 2).value();
  BOOST_REQUIRE(out.size() == 3u);
  BOOST_TEST(pages.is_swapped(1));
  BOOST_TEST((pages.counts() ==
              ledger_counts{.free = 5, .in_flight = 3, .swapped = 3}));
  BOOST_TEST(!pages.grant({1, 11}, 3).has_value());
  pages.plans_done(2);
  // The full pages are cached as well, until somebody needs the room.
  BOOST_TEST(
      (pages.counts() == ledger_counts{.free = 6, .cached = 2, .swapped = 3}));
  pages.grant({2, 32}, 3);
  pages.release(2);
  pages.plans_done(3);
  const auto in = pages.swap_in(1, 4).value();
  BOOST_REQUIRE(in.size() == 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    BOOST_TEST(out[i].page == before[i]);
    BOOST_TEST(in[i].slot == out[i].slot);
    BOOST_TEST(in[i].page == pages.pages_of(1)[i]);
    BOOST_TEST((out[i].direction == swap_direction::out));
    BOOST_TEST((in[i].direction == swap_direction::in));
  }
  const auto delta = pages.grant({1, 11}, 4).value();
  BOOST_TEST(delta.first == 0u); // the whole table is new
  BOOST_TEST(delta.pages.size() == 3u);
  BOOST_TEST(pages.report().free_host_slots == 1u); // plan 4 still reads them
  pages.plans_done(4);
  BOOST_TEST(pages.report().free_host_slots == 4u);
  BOOST_TEST(pages.check().empty());
}

BOOST_AUTO_TEST_CASE(what_the_cache_still_has_does_not_come_back) {
  auto pages = with_sequence(1, 10);
  const auto out = pages.swap_out(1, 2).value();
  pages.plans_done(2);
  const auto in = pages.swap_in(1, 3).value();
  BOOST_REQUIRE(in.size() == 1u);
  BOOST_TEST(in[0].slot == out[2].slot);
  BOOST_TEST(in[0].page == pages.pages_of(1)[2]);
  BOOST_TEST(pages.pages_of(1)[0] == out[0].page);
  BOOST_TEST(pages.pages_of(1)[1] == out[1].page);
  BOOST_TEST((pages.counts() == ledger_counts{.free = 5, .active = 3}));
  BOOST_TEST(pages.grant({1, 11}, 3)->copies.empty());
  BOOST_TEST(pages.check().empty());
}

BOOST_AUTO_TEST_CASE(swaps_that_cannot_be) {
  auto pages = with_sequence(1, 20); // five pages, four slots
  BOOST_TEST(!pages.swap_out(1, 2).has_value());
  BOOST_TEST(!pages.swap_out(9, 2).has_value());
  BOOST_TEST(!pages.swap_in(1, 2).has_value());
  BOOST_TEST(pages.pages_of(1).size() == 5u);
  pages.fork(1, 2, 4);
  BOOST_TEST(!pages.swap_out(2, 2).has_value()); // no plan has named it
  pages.grant({2, 5}, 3);
  BOOST_TEST(!pages.swap_out(2, 3).has_value()); // the same plan
  BOOST_TEST(pages.swap_out(2, 4).has_value());
  BOOST_TEST(!pages.swap_out(2, 5).has_value());
  BOOST_TEST(!pages.swap_in(2, 4).has_value()); // the same plan
  pages.grant({3, 8}, 5);
  BOOST_TEST(!pages.swap_in(2, 5).has_value()); // no room
  BOOST_TEST(pages.check().empty());
}

BOOST_AUTO_TEST_CASE(a_swapped_sequence_can_be_released) {
  auto pages = with_sequence(1, 10);
  pages.swap_out(1, 2);
  pages.release(1);
  BOOST_TEST(pages.report().free_host_slots == 1u);
  pages.plans_done(2);
  BOOST_TEST(pages.report().free_host_slots == 4u);
  BOOST_TEST(pages.counts().sum() == 8u);
  BOOST_TEST(pages.admit(2, scope, counted(10)).matched_tokens == 8u);
}

BOOST_AUTO_TEST_CASE(results_that_come_after_the_swap_count) {
  auto pages = with_sequence(1, 10);
  pages.extend(1, token_list{10, 11, 12});
  pages.grant({1, 12}, 2);
  pages.swap_out(1, 3);
  pages.computed(1, 12); // plan 2, which ran before the swap
  pages.plans_done(3);
  pages.swap_in(1, 4);
  pages.grant({1, 13}, 4);
  pages.plans_done(4);
  pages.computed(1, 13);
  pages.release(1);
  token_list all = counted(13);
  BOOST_TEST(pages.admit(2, scope, all).matched_tokens == 12u);
}

BOOST_AUTO_TEST_CASE(page_seconds_pause_while_swapped) {
  auto pages = with_sequence(1, 8);
  pages.advance(3s);
  BOOST_TEST(pages.usage(1).page_seconds == 6.0);
  pages.swap_out(1, 2);
  pages.plans_done(2);
  pages.advance(10s);
  BOOST_TEST(pages.usage(1).page_seconds == 6.0);
  pages.swap_in(1, 3);
  pages.advance(11s);
  BOOST_TEST(pages.release(1).page_seconds == 8.0);
  BOOST_TEST(pages.usage(1).page_seconds == 0.0);
}

BOOST_AUTO_TEST_CASE(who_has_pages_and_is_not_known_is_named) {
  auto pages = with_sequence(1, 10);
  pages.grant({7, 4}, 2);
  pages.grant({8, 4}, 2);
  pages.swap_out(8, 3);
  const std::vector<std::uint64_t> living{1};
  const auto found = pages.strays(living);
  BOOST_REQUIRE(found.size() == 2u);
  BOOST_TEST(found[0].owner == 7u);
  BOOST_TEST(found[0].pages == 1u);
  BOOST_TEST(found[1].owner == 8u);
  for (const auto& stray : found)
    pages.release(stray.owner);
  BOOST_TEST(pages.strays(living).empty());
}

BOOST_AUTO_TEST_CASE(a_leak_fails_its_owner_and_nobody_else) {
  auto pages = with_sequence(1, 10);
  pages.fork(1, 2, 8);
  pages.grant({2, 9}, 2);
  pages.books_for_test().leak_for_test(2);
  BOOST_TEST(!pages.sums_agree());
  BOOST_TEST(pages.repair() == std::vector<std::uint64_t>{2},
             boost::test_tools::per_element());
  BOOST_TEST(pages.sums_agree());
  BOOST_TEST(pages.check().empty());
  BOOST_TEST(pages.index_for_test().is_sound());
  BOOST_TEST(pages.grant({1, 12}, 3).has_value());
  pages.plans_done(3);
  pages.release(1);
  BOOST_TEST(pages.admit(2, scope, counted(9)).matched_tokens == 8u);
}

/// One of 51 that share a head loses a page; the head's or its own.
void leak_among_many(std::uint32_t tokens) {
  auto pages = with_sequence(1, 12, {.pool_pages = 120, .page_tokens = 4});
  for (std::uint64_t key = 2; key <= 51; ++key) {
    BOOST_REQUIRE(pages.fork(1, key, 12));
    BOOST_REQUIRE(pages.grant({key, tokens}, 2).has_value());
  }
  pages.books_for_test().leak_for_test(30);
  BOOST_TEST(!pages.sums_agree());
  BOOST_TEST(pages.check().at(0).owners == std::vector<owner_id>{30},
             boost::test_tools::per_element());
  BOOST_TEST(pages.repair() == std::vector<std::uint64_t>{30},
             boost::test_tools::per_element());
  for (std::uint64_t key = 1; key <= 51; ++key)
    if (key != 30) {
      BOOST_REQUIRE(pages.grant({key, 20}, 3).has_value());
      pages.computed(key, 20);
    }
  pages.plans_done(3);
  for (std::uint64_t key = 1; key <= 51; ++key)
    pages.release(key);
  BOOST_TEST(pages.check().empty());
  BOOST_TEST((pages.counts() == ledger_counts{.free = 117, .cached = 3}));
}

BOOST_AUTO_TEST_CASE(a_leak_among_many_costs_one) {
  leak_among_many(13); // a page of its own
  leak_among_many(12); // one of the head that all share
}

BOOST_AUTO_TEST_CASE(disputed_pages_leave_the_cache) {
  auto pages = with_sequence(1, 10);
  pages.grant({9, 4}, 2);
  const auto page = pages.pages_of(1)[1];
  pages.books_for_test().corrupt_for_test(page, page_account::held_by(9));
  BOOST_TEST(pages.repair() == (std::vector<std::uint64_t>{1, 9}),
             boost::test_tools::per_element());
  BOOST_TEST(pages.check().empty());
  BOOST_TEST(pages.index_for_test().is_sound());
  BOOST_TEST(pages.admit(2, scope, counted(10)).matched_tokens == 4u);
  pages.plans_done(2);
  BOOST_TEST(pages.counts().free == 7u);
}

BOOST_AUTO_TEST_SUITE_END()
