// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/page_moves.hpp"

#include <boost/test/unit_test.hpp>

#include <random>
#include <set>
#include <vector>

using namespace sluice::cuda;

namespace {

struct order_case {
  const char* what;
  std::vector<page_move> moves;
  std::size_t within_one; // that run at once where numbers mean one place
  std::size_t between_two;
};

std::vector<page_move> apart(std::uint32_t count) {
  std::vector<page_move> moves;
  for (std::uint32_t i = 0; i < count; ++i)
    moves.push_back({i, i + 5000});
  return moves;
}

const std::vector<order_case>& order_cases() {
  static const std::vector<order_case> all{
      {"no moves", {}, 0, 0},
      {"one move", {{1, 2}}, 1, 1},
      {"a page to two others", {{1, 2}, {1, 3}}, 2, 2},
      {"read after it is written", {{1, 2}, {2, 3}}, 1, 2},
      {"written after it is read", {{1, 2}, {3, 1}}, 1, 2},
      {"written twice", {{1, 2}, {3, 2}}, 1, 1},
      {"written twice with the same", {{1, 2}, {1, 2}}, 1, 1},
      {"two change places", {{1, 2}, {2, 1}}, 1, 2},
      {"onto itself", {{1, 1}}, 1, 1},
      {"onto itself after it is read", {{1, 2}, {1, 1}}, 1, 2},
      {"onto itself before it is read", {{1, 1}, {1, 2}}, 1, 2},
      {"after some that may", {{1, 2}, {3, 4}, {5, 6}, {6, 7}, {8, 9}}, 3, 5},
      {"numbers at both ends", {{0, ~0u}, {~0u, 1}}, 1, 2},
      {"as many as a launch takes", apart(256), 256, 256},
      {"more than a launch takes", apart(257), 256, 256},
  };
  return all;
}

/// By the definition.
std::size_t at_once_slowly(const std::vector<page_move>& moves,
                           bool one_place) {
  std::set<std::uint32_t> read, written;
  std::size_t count = 0;
  for (const auto& [from, to] : moves) {
    if (count == most_moves_at_once || written.contains(to) ||
        (one_place && (read.contains(to) || written.contains(from))))
      break;
    read.insert(from);
    written.insert(to);
    ++count;
  }
  return count;
}

} // namespace

BOOST_AUTO_TEST_SUITE(cuda_moves_at_once)

BOOST_AUTO_TEST_CASE(none_touches_what_another_writes) {
  for (const auto& each : order_cases())
    BOOST_TEST_CONTEXT(each.what) {
      BOOST_TEST(moves_at_once(each.moves, true) == each.within_one);
      BOOST_TEST(moves_at_once(each.moves, false) == each.between_two);
    }
}

BOOST_AUTO_TEST_CASE(pages_that_share_a_place_in_its_table_are_told_apart) {
  std::mt19937 random{1};
  for (const std::uint32_t pages : {50u, 5000u, 4000000000u})
    for (int run = 0; run < 200; ++run) {
      std::vector<page_move> moves(300);
      for (auto& move : moves)
        move = {static_cast<std::uint32_t>(random() % pages),
                static_cast<std::uint32_t>(random() % pages)};
      for (const bool one_place : {true, false})
        BOOST_REQUIRE(moves_at_once(moves, one_place) ==
                      at_once_slowly(moves, one_place));
    }
}

BOOST_AUTO_TEST_SUITE_END()
