// SPDX-License-Identifier: Apache-2.0
#include "actors/policy/restarts.hpp"

#include <boost/test/unit_test.hpp>

#include <vector>

using namespace std::chrono_literals;
using namespace sluice::policy;

namespace {

constexpr auto gives_up = instant{-1};

/// A loss at a time, and the device's return after it, if it comes back.
struct loss {
  instant at;
  std::optional<instant> back;
  instant expected; // pause
};

} // namespace

BOOST_AUTO_TEST_SUITE(restarts_policy)

BOOST_AUTO_TEST_CASE(losses_in_a_row_are_counted) {
  const restart_rules rules{.quiet = 60s, .most_losses = 3, .pause = 1s};
  struct {
    const char* name;
    std::vector<loss> losses;
  } table[] = {
      {"one a day",
       {{24h, 24h + 9s, 0s}, {48h, 48h + 9s, 0s}, {72h, 72h + 9s, 0s}}},
      {"at once after each return",
       {{10s, 12s, 0s}, {13s, 15s, 1s}, {16s, {}, gives_up}}},
      {"it never comes back",
       {{10s, {}, 0s}, {12s, {}, 1s}, {14s, {}, gives_up}}},
      {"a slow return is no service",
       {{0s, 300s, 0s}, {310s, 700s, 1s}, {759s, {}, gives_up}}},
      {"a minute of service forgives",
       {{0s, 1s, 0s}, {2s, 3s, 1s}, {63s, 64s, 0s}, {70s, 71s, 1s}}},
      {"of service, not of trying",
       {{0s, {}, 0s}, {200s, {}, 1s}, {400s, {}, gives_up}}},
  };
  for (const auto& [name, losses] : table) {
    restart_record record{rules};
    for (const auto& [at, back, expected] : losses) {
      const auto pause = record.lost(at).value_or(gives_up);
      BOOST_TEST((pause == expected), name << " at " << at.count());
      if (back)
        record.back(*back);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_request_may_not_lose_it_for_ever) {
  struct {
    const char* name;
    std::vector<std::uint64_t> progress; // at each loss
    std::size_t borne;                   // of them
  } table[] = {
      {"in its prompt", {0, 0, 0}, 2},
      {"at a token", {40, 40, 40}, 2},
      {"it gets on", {0, 1, 2, 3, 4, 5, 6, 7}, 8},
      {"and then does not", {0, 1, 2, 2, 2}, 4},
  };
  for (const auto& [name, progress, borne] : table) {
    request_losses losses;
    std::size_t count = 0;
    for (const auto now : progress)
      count += losses.bear(now);
    BOOST_TEST(count == borne, name);
  }
}

BOOST_AUTO_TEST_SUITE_END()
