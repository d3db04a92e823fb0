// SPDX-License-Identifier: Apache-2.0
#include "memory/kv_pages.hpp"

#include "kernels/check.hpp"

#include <boost/test/unit_test.hpp>

#include <limits>
#include <numeric>

using namespace sluice;
using namespace std::chrono_literals;

namespace {

using token_list = std::vector<std::uint32_t>;

constexpr std::uint32_t size = 4; // tokens of a page
const prefix_scope scope_a{.weights = "w", .tenant = "a"};
const prefix_scope scope_b{.weights = "w", .tenant = "b"};

token_list counted(std::uint32_t count, std::uint32_t first = 0) {
  token_list result(count);
  std::iota(result.begin(), result.end(), first);
  return result;
}

/// Steps of one sequence each, with every plan done before the next.
struct lane {
  kv_pages pages;
  std::uint64_t plan = 0;

  explicit lane(kv_pages_config config)
      : pages{(config.page_tokens = size, config)} {}

  /// Runs a sequence's known tokens to the end.
  page_delta run(std::uint64_t sequence, std::uint32_t tokens) {
    const auto delta = pages.grant({sequence, tokens}, ++plan);
    BOOST_REQUIRE(delta.has_value());
    pages.plans_done(plan);
    pages.computed(sequence, tokens);
    verify();
    return *delta;
  }

  /// A request from its beginning to its end.
  std::uint32_t serve(std::uint64_t sequence, const token_list& tokens,
                      const prefix_scope& scope = scope_a,
                      const retention& worth = {}) {
    const auto found = pages.admit(sequence, scope, tokens, worth);
    run(sequence, static_cast<std::uint32_t>(tokens.size()));
    pages.release(sequence);
    verify();
    return found.matched_tokens;
  }

  void verify() const {
    BOOST_REQUIRE(pages.check().empty());
    BOOST_REQUIRE(pages.sums_agree());
    BOOST_REQUIRE(pages.index_for_test().is_sound());
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(kv_cache_test)

BOOST_AUTO_TEST_CASE(how_much_of_a_prompt_is_found) {
  struct row {
    const char* what;
    token_list before;
    token_list asked;
    std::uint32_t matched;
  };
  auto forked = counted(12);
  forked[9] = 77;
  const row rows[] = {
      {"an empty cache", {}, counted(9), 0},
      {"the same prompt: all but its last token", counted(9), counted(9), 8},
      {"the same full pages: all but the last token", counted(8), counted(8),
       7},
      {"one token", counted(8), counted(1), 0},
      {"no token", counted(8), {}, 0},
      {"a longer prompt: the partial page too", counted(10), counted(30), 10},
      {"a shorter prompt", counted(30), counted(7), 6},
      {"another second half", counted(12), forked, 9},
      {"another prompt", counted(12), counted(12, 50), 0},
  };
  for (const auto& [what, before, asked, matched] : rows) {
    BOOST_TEST_CONTEXT(what) {
      lane l{{.pool_pages = 32}};
      if (!before.empty())
        l.serve(1, before);
      BOOST_TEST(l.serve(2, asked) == matched);
      BOOST_TEST(l.pages.report().hit_tokens == matched);
    }
  }
}

BOOST_AUTO_TEST_CASE(tenants_share_nothing) {
  lane l{{.pool_pages = 16}};
  l.serve(1, counted(9));
  BOOST_TEST(l.serve(2, counted(9), scope_b) == 0u);
  BOOST_TEST(l.serve(3, counted(9), scope_b) == 8u);
  BOOST_TEST(l.serve(4, counted(9), scope_a) == 8u);
}

BOOST_AUTO_TEST_CASE(a_full_hit_copies_the_last_page_only) {
  lane l{{.pool_pages = 16}};
  l.serve(1, counted(8));
  const auto found = l.pages.admit(2, scope_a, counted(8));
  BOOST_TEST(found.matched_tokens == 7u);
  BOOST_TEST(found.pages.size() == 2u);
  const auto delta = l.run(2, 8);
  BOOST_TEST(delta.first == 0u); // the executor has not heard of any
  BOOST_REQUIRE(delta.pages.size() == 2u);
  BOOST_TEST(delta.pages[0] == found.pages[0]);
  BOOST_TEST(delta.pages[1] != found.pages[1]);
  BOOST_TEST(
      (delta.copies == std::vector{page_copy{found.pages[1], delta.pages[1]}}));
  const auto next = l.run(2, 9);
  BOOST_TEST(next.first == 2u);
  BOOST_TEST(next.copies.empty());
}

BOOST_AUTO_TEST_CASE(pages_are_found_only_when_they_are_computed) {
  lane l{{.pool_pages = 16}};
  l.pages.admit(1, scope_a, counted(16));
  l.pages.grant({1, 16}, 1);
  BOOST_TEST(l.pages.admit(2, scope_a, counted(16)).matched_tokens == 0u);
  l.pages.computed(1, 7);
  BOOST_TEST(l.pages.admit(3, scope_a, counted(16)).matched_tokens == 4u);
  l.pages.computed(1, 16);
  BOOST_TEST(l.pages.admit(4, scope_a, counted(16)).matched_tokens == 15u);
}

BOOST_AUTO_TEST_CASE(what_was_generated_is_found_too) {
  lane l{{.pool_pages = 16}};
  l.pages.admit(1, scope_a, counted(3));
  l.run(1, 3);
  for (std::uint32_t token = 3; token < 11; ++token) {
    l.pages.extend(1, token_list{token});
    l.run(1, token + 1);
  }
  l.pages.release(1);
  BOOST_TEST(l.serve(2, counted(12)) == 11u);
}

BOOST_AUTO_TEST_CASE(pages_of_a_running_sequence_are_shared) {
  lane l{{.pool_pages = 16}};
  l.pages.admit(1, scope_a, counted(8));
  l.run(1, 10);
  const auto found = l.pages.admit(2, scope_a, counted(20));
  BOOST_TEST(found.matched_tokens == 8u);
  BOOST_TEST(l.pages.counts().active == 3u);
  l.pages.release(1);
  l.run(2, 20);
  BOOST_TEST(l.pages.usage(2).matched_tokens == 8u);
}

BOOST_AUTO_TEST_CASE(two_that_compute_the_same_leave_one_copy) {
  lane l{{.pool_pages = 16}};
  for (const auto key : {1, 2})
    l.pages.admit(key, scope_a, counted(9));
  for (const auto key : {1, 2})
    l.run(key, 9);
  for (const auto key : {1, 2})
    l.pages.release(key);
  l.verify();
  BOOST_TEST((l.pages.counts() == ledger_counts{.free = 13, .cached = 3}));
}

BOOST_AUTO_TEST_CASE(grants_evict_what_was_used_least_recently) {
  lane l{{.pool_pages = 6}};
  l.pages.advance(1s);
  l.serve(1, counted(8));
  l.pages.advance(2s);
  l.serve(2, counted(8, 100));
  l.pages.advance(3s);
  BOOST_TEST(l.serve(3, counted(12, 200)) == 0u); // 2 free, 1 evicted
  BOOST_TEST(l.pages.report().evictions == 1u);
  BOOST_TEST(l.pages.admit(4, scope_a, counted(9)).matched_tokens == 4u);
  BOOST_TEST(l.pages.admit(5, scope_a, counted(9, 100)).matched_tokens == 8u);
}

BOOST_AUTO_TEST_CASE(pages_that_a_plan_may_touch_are_not_evicted) {
  lane l{{.pool_pages = 2}};
  l.pages.admit(1, scope_a, counted(8));
  l.pages.grant({1, 8}, 1);
  l.pages.computed(1, 8);
  l.pages.release(1);
  BOOST_TEST(!l.pages.grant({2, 4}, 2).has_value());
  BOOST_TEST(l.pages.counts().in_flight == 2u);
  l.pages.plans_done(1);
  BOOST_TEST(l.pages.counts().cached == 2u);
  BOOST_TEST(l.pages.grant({2, 4}, 2).has_value());
}

BOOST_AUTO_TEST_CASE(hints_decide_what_stays) {
  lane l{{.pool_pages = 6}};
  l.pages.advance(1s);
  l.serve(1, counted(8), scope_a, {.keep_until = 60s});
  l.serve(2, counted(8, 100), scope_a, {.priority = 1});
  l.pages.advance(2s);
  l.serve(3, counted(8, 200));
  l.serve(4, counted(8, 300)); // evicts 3
  l.serve(5, counted(8, 400)); // evicts 4
  BOOST_TEST(l.serve(6, counted(8)) == 7u);
  BOOST_TEST(l.serve(7, counted(8, 100)) == 7u);
  BOOST_TEST(l.serve(8, counted(8, 300)) == 0u);
}

BOOST_AUTO_TEST_CASE(pinned_prompts_stay_and_are_bounded) {
  lane l{{.pool_pages = 6, .most_pinned_pages = 2}};
  BOOST_TEST(l.pages.admit(1, scope_a, counted(8), {.pin = true}).pinned);
  l.run(1, 9);
  BOOST_TEST(!l.pages.admit(2, scope_a, counted(8, 100), {.pin = true}).pinned);
  l.pages.release(1);
  l.pages.release(2);
  BOOST_TEST((l.pages.counts() == ledger_counts{.free = 4, .pinned = 2}));
  BOOST_TEST(!l.pages.grant({3, 20}, 50).has_value());
  BOOST_TEST(l.pages.grant({3, 16}, 50).has_value());
  // The same prompt again needs no more pins.
  BOOST_TEST(l.pages.admit(4, scope_a, counted(8), {.pin = true}).pinned);
  l.pages.release(4);
  l.pages.unpin(scope_a, counted(8));
  BOOST_TEST(l.pages.counts().cached == 2u);
  BOOST_TEST(l.pages.grant({3, 20}, 51).has_value());
  BOOST_TEST(l.pages.report().refused_pins == 1u);
  l.verify();
}

BOOST_AUTO_TEST_CASE(a_pool_of_one_page_is_enough) {
  lane l{{.pool_pages = 1}};
  BOOST_TEST(l.serve(1, counted(4)) == 0u);
  // No room for a copy: the page leaves the cache and is written in place.
  BOOST_TEST(l.serve(2, counted(4)) == 3u);
  BOOST_TEST(l.pages.report().copies == 0u);
  BOOST_TEST(l.serve(3, {0, 1, 9, 9}) == 2u);
  BOOST_TEST(l.serve(4, {0, 1, 9, 9}) == 3u);
  BOOST_TEST(!l.pages.grant({5, 5}, 90).has_value());
}

BOOST_AUTO_TEST_CASE(a_pool_full_of_pins_makes_all_wait) {
  lane l{{.pool_pages = 2, .most_pinned_pages = 2}};
  l.pages.admit(1, scope_a, counted(8), {.pin = true});
  l.run(1, 8);
  l.pages.release(1);
  BOOST_TEST(l.pages.available_pages() == 0u);
  l.pages.admit(2, scope_a, counted(8));
  BOOST_TEST(!l.pages.grant({2, 8}, 70).has_value());
  l.pages.release(2);
  BOOST_TEST(l.pages.counts().pinned == 2u);
  l.verify();
}

BOOST_AUTO_TEST_CASE(a_colliding_hash_gives_a_miss_and_no_more) {
  kv_pages_config config{.pool_pages = 16};
  config.hash = [](std::uint64_t, const block_hash&,
                   std::span<const std::uint32_t>) -> block_hash {
    return {7, 7};
  };
  lane l{config};
  l.serve(1, counted(10));
  BOOST_TEST(l.serve(2, counted(10)) == 4u); // the second block collides
  BOOST_TEST(l.serve(3, counted(10, 50)) == 0u);
  BOOST_TEST(l.serve(4, counted(10, 50)) == 0u);
  BOOST_TEST(l.pages.report().hash_collisions > 0u);
}

BOOST_AUTO_TEST_CASE(the_chain_is_found_again_when_a_part_was_evicted) {
  lane l{{.pool_pages = 6}};
  l.pages.admit(1, scope_a, counted(12));
  l.pages.admit(2, scope_a, counted(12));
  l.run(1, 4);
  l.run(2, 4); // the block is known by 1's page
  l.pages.release(1);
  l.pages.grant({3, 16}, ++l.plan); // evicts that page
  l.pages.release(3);
  l.pages.plans_done(l.plan);
  l.run(2, 12);
  l.pages.release(2);
  BOOST_TEST(l.serve(4, counted(12)) == 11u);
}

BOOST_AUTO_TEST_CASE(truncated_sequences_do_not_spoil_the_cache) {
  lane l{{.pool_pages = 16}};
  l.pages.admit(1, scope_a, counted(12));
  l.run(1, 12);
  l.pages.truncate(1, 6);
  BOOST_TEST(l.pages.pages_of(1).size() == 2u);
  l.pages.extend(1, token_list{90, 91, 92});
  const auto delta = l.run(1, 9);
  BOOST_TEST(delta.copies.size() == 1u);
  BOOST_TEST(delta.first == 1u);
  BOOST_TEST(delta.pages.size() == 2u);
  l.pages.release(1);
  BOOST_TEST(l.serve(2, counted(12)) == 11u);
  BOOST_TEST(l.serve(3, {0, 1, 2, 3, 4, 5, 90, 91, 92, 93}) == 9u);
  l.pages.truncate(99, 0);
}

BOOST_AUTO_TEST_CASE(hostile_sizes_are_harmless) {
  constexpr auto most = std::numeric_limits<std::uint32_t>::max();
  lane l{{.pool_pages = 4}};
  l.pages.admit(1, scope_a, {});
  BOOST_TEST(l.pages.grant({1, 0}, 1)->pages.empty());
  BOOST_TEST(!l.pages.grant({1, most}, 1).has_value());
  BOOST_TEST(!l.pages.grant({2, most}, 1).has_value());
  l.pages.computed(1, most);
  l.pages.computed(77, most);
  l.pages.extend(77, counted(3));
  BOOST_TEST(!l.pages.fork(1, 2, most));
  l.pages.grant({1, 3}, 1);
  l.pages.computed(1, most); // as much as it has pages for
  BOOST_TEST(l.pages.report().waste_tokens == 0u);
  l.pages.truncate(1, most);
  BOOST_TEST(l.pages.preempt(1).matched_tokens == 0u);
  l.pages.plans_done(std::numeric_limits<std::uint64_t>::max());
  BOOST_TEST(l.pages.free_pages() == 4u);
  BOOST_CHECK_THROW(
      (l.pages.admit(3, scope_a, {}), l.pages.admit(3, scope_a, {})),
      contract_violation);
}

BOOST_AUTO_TEST_CASE(preempted_sequences_find_their_pages_again) {
  lane l{{.pool_pages = 8}};
  l.pages.admit(1, scope_a, counted(10));
  l.run(1, 10);
  l.pages.preempt(1);
  BOOST_TEST(l.pages.counts().active == 0u);
  BOOST_TEST(l.pages.admit(1, scope_a, counted(11)).matched_tokens == 10u);
  BOOST_TEST(l.pages.report().preemptions == 1u);
}

BOOST_AUTO_TEST_CASE(a_lost_cache_gives_every_page_back) {
  lane l{{.pool_pages = 16, .host_slots = 8, .most_pinned_pages = 4}};
  l.serve(1, counted(10));
  l.serve(2, counted(9, 50), scope_b, {.pin = true});
  l.pages.admit(3, scope_a, counted(10)); // shares the first's
  l.run(3, 10);
  l.pages.admit(4, scope_a, counted(8, 90));
  l.run(4, 8);
  BOOST_REQUIRE(l.pages.swap_out(4, ++l.plan).has_value());
  l.pages.grant({3, 11}, ++l.plan); // on its way when the device is lost
  l.pages.discard(3);
  l.pages.discard(4);
  l.pages.forget_cache();
  l.pages.plans_done(l.plan);
  l.verify();
  BOOST_TEST((l.pages.counts() == ledger_counts{.free = 16}));
  BOOST_TEST(l.pages.report().free_host_slots == 8u);
  BOOST_TEST(l.serve(3, counted(10)) == 0u);
  BOOST_TEST(l.serve(5, counted(9, 50), scope_b, {.pin = true}) == 0u);
  BOOST_TEST(l.serve(6, counted(10)) == 9u); // and is a cache again
}

BOOST_AUTO_TEST_SUITE_END()
