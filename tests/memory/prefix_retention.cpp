// SPDX-License-Identifier: Apache-2.0
#include "memory/prefix_index.hpp"

#include <boost/test/unit_test.hpp>

using namespace sluice;
using namespace std::chrono_literals;

namespace {

using token_list = std::vector<std::uint32_t>;

/// Pages of two tokens, four chains' worth of helpers.
struct fixture {
  prefix_index index{{.page_tokens = 2, .most_pinned_pages = 2}};
  prefix_node root = index.open({});
  page_id next_page = 0;

  prefix_node add(prefix_node parent, std::uint32_t token, instant used,
                  const retention& worth = {}) {
    const auto page = next_page++;
    const auto made =
        index.insert(parent, token_list{token, token}, page, worth);
    index.idle(page, used);
    return made.node;
  }

  std::vector<page_id> evict_all(instant now) {
    std::vector<page_id> result;
    while (const auto page = index.evict(now)) {
      result.push_back(*page);
      BOOST_REQUIRE(index.is_sound());
    }
    return result;
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(prefix_retention_test)

BOOST_AUTO_TEST_CASE(leaves_go_before_their_parents) {
  fixture f;
  const auto head = f.add(f.root, 1, 1s); // page 0, oldest
  const auto left = f.add(head, 2, 5s);   // page 1
  f.add(left, 3, 4s);                     // page 2
  f.add(head, 4, 9s);                     // page 3
  BOOST_TEST(f.evict_all(9s) == (std::vector<page_id>{2, 1, 3, 0}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(held_blocks_and_their_parents_stay) {
  fixture f;
  const auto head = f.add(f.root, 1, 1s);
  f.add(head, 2, 1s);
  f.add(head, 3, 1s);
  f.index.hold(1);
  BOOST_TEST(f.index.idle_pages() == 2u);
  BOOST_TEST(f.evict_all(9s) == std::vector<page_id>{2},
             boost::test_tools::per_element());
  f.index.idle(1, 2s);
  BOOST_TEST(f.evict_all(9s) == (std::vector<page_id>{1, 0}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(priorities_and_terms_hold_for_blocks) {
  fixture f;
  f.add(f.root, 1, 1s, {.priority = 3});
  f.add(f.root, 2, 2s);
  f.add(f.root, 3, 1s, {.keep_until = 30s});
  const auto raised = f.add(f.root, 4, 1s);
  f.index.retain(raised, {.priority = 9});
  f.index.retain(raised, {.priority = 2}); // never lowers
  f.index.retain(no_node, {.priority = 2});
  BOOST_TEST(f.evict_all(9s) == (std::vector<page_id>{1, 0, 3, 2}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(pins_are_bounded) {
  fixture f;
  const auto first = f.add(f.root, 1, 1s);
  const auto second = f.add(first, 2, 1s);
  const auto third = f.add(second, 3, 1s);
  BOOST_TEST(f.index.pin(first));
  BOOST_TEST(f.index.pin(second));
  BOOST_TEST(f.index.pin(second)); // changes nothing
  BOOST_TEST(!f.index.pin(third));
  BOOST_TEST(!f.index.pin(no_node));
  BOOST_TEST(!f.index.pin(f.root));
  BOOST_TEST(f.index.pinned_pages() == 2u);
  BOOST_TEST(f.index.idle_pages() == 1u);
  BOOST_TEST(f.evict_all(9s) == std::vector<page_id>{2},
             boost::test_tools::per_element());
  f.index.unpin(second);
  f.index.unpin(second);
  BOOST_TEST(f.evict_all(9s) == std::vector<page_id>{1},
             boost::test_tools::per_element());
  f.index.unpin(first);
  BOOST_TEST(f.evict_all(9s) == std::vector<page_id>{0},
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_pinned_page_is_not_replaced) {
  fixture f;
  const auto node = f.add(f.root, 1, 1s);
  f.index.pin(node);
  const auto again = f.index.insert(f.root, token_list{1, 1}, 5, {});
  BOOST_TEST(!again.added);
  BOOST_TEST(again.page == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
