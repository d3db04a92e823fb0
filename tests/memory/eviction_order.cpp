// SPDX-License-Identifier: Apache-2.0
#include "memory/eviction_order.hpp"

#include <boost/test/unit_test.hpp>

#include <vector>

using sluice::eviction_order;
using sluice::instant;
using sluice::retention;
using namespace std::chrono_literals;

namespace {

std::vector<eviction_order::block> pop_all(eviction_order& order, instant now) {
  std::vector<eviction_order::block> result;
  while (const auto which = order.pop(now))
    result.push_back(*which);
  return result;
}

} // namespace

BOOST_AUTO_TEST_SUITE(eviction_order_test)

BOOST_AUTO_TEST_CASE(who_goes_first) {
  struct offer {
    eviction_order::block which;
    instant used;
    retention worth;
  };
  struct scene {
    const char* rule;
    std::vector<offer> offers;
    instant now;
    std::vector<eviction_order::block> order;
  };
  const scene scenes[] = {
      {"nothing", {}, 0s, {}},
      {"least recently used", {{1, 3s}, {2, 1s}, {3, 2s}}, 9s, {2, 3, 1}},
      {"the older of two that were used together",
       {{2, 1s}, {1, 1s}},
       9s,
       {1, 2}},
      {"a lower priority before an older use",
       {{1, 1s, {.priority = 1}}, {2, 5s, {}}, {3, 1s, {.priority = -1}}},
       9s,
       {3, 2, 1}},
      {"what is kept after all else, the shortest term first",
       {{1, 1s, {.keep_until = 20s}},
        {2, 1s, {.keep_until = 10s}},
        {3, 8s, {.priority = 5}}},
       9s,
       {3, 2, 1}},
      {"a term that is over counts no more",
       {{1, 1s, {.keep_until = 20s}}, {2, 2s, {.keep_until = 9s}}, {3, 3s}},
       9s,
       {2, 3, 1}},
      {"the later of two offers of one block",
       {{1, 1s}, {2, 2s}, {1, 3s}},
       9s,
       {2, 1}},
  };
  for (const auto& [rule, offers, now, expected] : scenes) {
    BOOST_TEST_CONTEXT(rule) {
      eviction_order order;
      for (const auto& [which, used, worth] : offers)
        order.add(which, used, worth);
      BOOST_TEST(pop_all(order, now) == expected,
                 boost::test_tools::per_element());
      BOOST_TEST(order.size() == 0u);
    }
  }
}

BOOST_AUTO_TEST_CASE(removed_blocks_stay) {
  eviction_order order;
  order.add(1, 1s, {});
  order.add(2, 2s, {.keep_until = 50s});
  order.remove(1);
  order.remove(2);
  order.remove(3);
  BOOST_TEST(!order.pop(9s).has_value());
  BOOST_TEST(!order.contains(1));
}

BOOST_AUTO_TEST_SUITE_END()
