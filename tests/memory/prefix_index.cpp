// SPDX-License-Identifier: Apache-2.0
#include "memory/prefix_index.hpp"

#include "kernels/check.hpp"

#include <boost/test/unit_test.hpp>

#include <numeric>

using namespace sluice;
using namespace std::chrono_literals;

namespace {

using token_list = std::vector<std::uint32_t>;

constexpr std::uint32_t page_tokens = 4;

token_list counted(std::uint32_t count, std::uint32_t first = 0) {
  token_list result(count);
  std::iota(result.begin(), result.end(), first);
  return result;
}

/// All blocks have one hash.
block_hash same_hash(std::uint64_t, const block_hash&,
                     std::span<const std::uint32_t>) {
  return {1, 2};
}

/// An index with one open scope; pages are numbered as they come.
struct fixture {
  prefix_index index;
  prefix_node root;
  page_id next_page = 0;

  explicit fixture(prefix_index_config config = {})
      : index{(config.page_tokens = page_tokens, config)},
        root{index.open({.weights = "w", .tenant = "a"})} {}

  /// Puts all blocks of the tokens in and lets nobody hold them.
  std::vector<page_id> fill(const token_list& tokens, instant now = 0s,
                            const retention& worth = {}) {
    std::vector<page_id> pages;
    auto parent = root;
    for (std::size_t at = 0; at < tokens.size(); at += page_tokens) {
      const auto size = std::min<std::size_t>(page_tokens, tokens.size() - at);
      const auto made = index.insert(
          parent, std::span{tokens}.subspan(at, size), next_page++, worth);
      BOOST_REQUIRE(made.node != no_node);
      pages.push_back(made.page);
      parent = made.node;
    }
    for (const auto page : pages)
      index.idle(page, now);
    BOOST_REQUIRE(index.is_sound());
    return pages;
  }

  std::uint32_t matched(const token_list& tokens) const {
    return index.find(root, tokens).tokens;
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(prefix_index_test)

BOOST_AUTO_TEST_CASE(the_longest_run_of_cached_pages_is_found) {
  fixture f;
  f.fill(counted(10)); // two full blocks and a tail of two
  struct row {
    const char* what;
    token_list asked;
    std::uint32_t tokens;
    std::size_t pages;
  };
  auto other = counted(12);
  other[5] = 99;
  const row rows[] = {
      {"nothing", {}, 0, 0},
      {"another beginning", {7, 1, 2, 3}, 0, 0},
      {"a part of the first page", {0, 1}, 2, 1},
      {"a part and then something else", {0, 1, 9, 9, 9}, 2, 1},
      {"one page", counted(4), 4, 1},
      {"one page and a part of the next", counted(6), 6, 2},
      {"two pages", counted(8), 8, 2},
      {"two pages and a part of the tail", counted(9), 9, 3},
      {"everything", counted(10), 10, 3},
      {"more than there is", counted(40), 10, 3},
      {"another token in the second page", other, 5, 2},
  };
  for (const auto& [what, asked, tokens, pages] : rows) {
    BOOST_TEST_CONTEXT(what) {
      const auto match = f.index.find(f.root, asked);
      BOOST_TEST(match.tokens == tokens);
      BOOST_TEST(match.pages.size() == pages);
      BOOST_TEST(match.blocks ==
                 match.pages.size() - (tokens % page_tokens != 0 ? 1 : 0));
    }
  }
}

BOOST_AUTO_TEST_CASE(the_best_of_many_tails_is_found) {
  fixture f;
  for (std::uint32_t i = 0; i < 50; ++i)
    f.fill({0, 1, 2, 3, i, i + 1, i + 2});
  for (std::uint32_t i = 0; i < 50; ++i) {
    BOOST_TEST(f.matched({0, 1, 2, 3, i, i + 1, i + 2}) == 7u);
    BOOST_TEST(f.matched({0, 1, 2, 3, i, i + 1, 999}) == 6u);
    BOOST_TEST(f.matched({0, 1, 2, 3, i, 999, i}) == 5u);
  }
}

BOOST_AUTO_TEST_CASE(scopes_share_nothing) {
  fixture f;
  f.fill(counted(8));
  for (const auto& scope :
       {prefix_scope{.weights = "w", .tenant = "b"},
        prefix_scope{.weights = "v", .tenant = "a"},
        prefix_scope{.weights = "w", .adapter = "x", .tenant = "a"}}) {
    const auto root = f.index.open(scope);
    BOOST_TEST(root != f.root);
    BOOST_TEST(f.index.find(root, counted(8)).tokens == 0u);
    f.index.close(root);
    BOOST_TEST(!f.index.contains(root));
  }
}

BOOST_AUTO_TEST_CASE(a_scope_lives_as_long_as_its_blocks) {
  fixture f;
  f.fill(counted(4));
  f.index.close(f.root);
  BOOST_TEST(f.index.contains(f.root));
  BOOST_TEST(f.index.evict(0s).has_value());
  BOOST_TEST(!f.index.contains(f.root));
  BOOST_TEST(f.index.is_sound());
}

BOOST_AUTO_TEST_CASE(equal_hashes_of_other_tokens_are_a_miss) {
  fixture f{{.hash = &same_hash}};
  f.fill(counted(4));
  BOOST_TEST(f.matched(counted(4)) == 4u);
  BOOST_TEST(f.matched(counted(4, 50)) == 0u);
  const auto refused = f.index.insert(f.root, counted(4, 50), 9, {});
  BOOST_TEST(refused.node == no_node);
  // The same tokens behind another parent, with the same hash.
  const auto first = f.index.node_of(0);
  BOOST_TEST(f.index.insert(first, counted(4), 9, {}).node == no_node);
  BOOST_TEST(f.matched({0, 1, 2, 3, 0, 1, 2, 3}) == 4u);
  BOOST_TEST(f.index.collisions() == 2u);
  BOOST_TEST(f.index.is_sound());
}

BOOST_AUTO_TEST_CASE(a_known_block_keeps_a_page_that_is_held) {
  fixture f;
  const auto page = f.fill(counted(4)).front();
  f.index.hold(page);
  const auto again = f.index.insert(f.root, counted(4), 9, {});
  BOOST_TEST(!again.added);
  BOOST_TEST(again.page == page);
  f.index.idle(page, 1s);
  const auto third = f.index.insert(f.root, counted(4), 9, {});
  BOOST_TEST(third.added);
  BOOST_TEST(third.replaced.value() == page);
  BOOST_TEST(f.index.page_of(third.node) == 9u);
  BOOST_TEST(!f.index.contains_page(page));
  BOOST_TEST(f.index.is_sound());
}

BOOST_AUTO_TEST_CASE(a_tail_that_is_known_is_not_kept_twice) {
  fixture f;
  f.fill(counted(4));
  BOOST_TEST(!f.index.insert(f.root, counted(3), 9, {}).added);
  BOOST_TEST(f.index.insert(f.root, token_list{0, 1, 7}, 9, {}).added);
  BOOST_TEST(f.index.pages() == 2u);
}

BOOST_AUTO_TEST_CASE(impossible_blocks_are_not_taken) {
  fixture f;
  BOOST_TEST(f.index.insert(12345, counted(4), 0, {}).node == no_node);
  BOOST_TEST(f.index.insert(f.root, {}, 0, {}).node == no_node);
  BOOST_TEST(f.index.insert(f.root, counted(5), 0, {}).node == no_node);
  f.fill(counted(4));
  BOOST_TEST(f.index.insert(f.root, counted(4, 9), 0, {}).node == no_node);
  BOOST_CHECK_THROW(prefix_index({.page_tokens = 0}), contract_violation);
}

BOOST_AUTO_TEST_CASE(forgetting_a_block_forgets_what_is_behind_it) {
  fixture f;
  const auto pages = f.fill(counted(14));
  const auto other = f.fill({0, 1, 2, 3, 9, 9, 9, 9});
  BOOST_TEST(f.index.forget(77).empty());
  BOOST_TEST(f.index.forget(pages[1]).size() == 3u);
  BOOST_TEST(f.matched(counted(14)) == 4u);
  BOOST_TEST(f.matched({0, 1, 2, 3, 9, 9, 9, 9}) == 8u);
  BOOST_TEST(f.index.is_sound());
}

BOOST_AUTO_TEST_SUITE_END()
