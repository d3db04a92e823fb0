// SPDX-License-Identifier: Apache-2.0
#include "tools/client/request_track.hpp"

#include <boost/test/unit_test.hpp>

using namespace sluice::client;
using namespace std::chrono_literals;
using action = request_track::action;

namespace {

constexpr instant start{};
constexpr patience usual{1000ms, 1000ms, 8000ms, 100ms};

} // namespace

BOOST_AUTO_TEST_SUITE(client_request_track)

BOOST_AUTO_TEST_CASE(an_unanswered_submit_is_repeated) {
  request_track track{usual, start};
  BOOST_TEST((track.due(start + 999ms) == action::none));
  BOOST_TEST((track.due(start + 1000ms) == action::submit));
  BOOST_TEST((track.due(start + 1001ms) == action::none));
  BOOST_TEST((track.due(start + 2000ms) == action::submit));
  BOOST_TEST(track.submissions() == 3u);
  BOOST_TEST((track.owed(start + 2500ms) == 2500ms));
}

BOOST_AUTO_TEST_CASE(silence_after_accepted_asks_ever_less_often) {
  request_track track{usual, start};
  track.accepted(start);
  BOOST_TEST((track.owed(start + 500ms) == 0ms));
  std::vector<int> asked;
  for (int ms = 0; ms <= 32'000; ms += 100)
    if (track.due(start + ms * 1ms) == action::replay)
      asked.push_back(ms);
  const std::vector<int> expected{1000, 3000, 7000, 15'000, 23'000, 31'000};
  BOOST_TEST(asked == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_chunk_restores_patience) {
  request_track track{usual, start};
  track.accepted(start);
  for (int ms = 0; ms <= 10'000; ms += 100)
    track.due(start + ms * 1ms);
  track.heard(start + 10s, false);
  BOOST_TEST((track.due(start + 10'900ms) == action::none));
  BOOST_TEST((track.due(start + 11s) == action::replay));
}

BOOST_AUTO_TEST_CASE(a_hole_is_asked_for_at_once_but_not_in_a_storm) {
  request_track track{usual, start};
  track.accepted(start);
  track.heard(start + 500ms, true);
  BOOST_TEST((track.due(start + 500ms) == action::replay));
  BOOST_TEST((track.due(start + 550ms) == action::none));
  BOOST_TEST((track.due(start + 600ms) == action::replay));
  track.heard(start + 610ms, false);
  BOOST_TEST((track.due(start + 700ms) == action::none));
}

BOOST_AUTO_TEST_CASE(answers_settle_what_is_owed) {
  request_track track{usual, start};
  track.accepted(start);
  BOOST_TEST((track.due(start + 1s) == action::replay));
  BOOST_TEST((track.owed(start + 1500ms) == 500ms));
  BOOST_TEST((track.due(start + 3s) == action::replay));
  BOOST_TEST((track.owed(start + 4s) == 3s)); // since the first question
  track.replayed();
  BOOST_TEST((track.owed(start + 5s) == 0ms));
}

BOOST_AUTO_TEST_CASE(a_chunk_counts_as_accepted) {
  request_track track{usual, start};
  track.heard(start + 900ms, false);
  BOOST_TEST(track.is_accepted());
  BOOST_TEST((track.due(start + 1100ms) == action::none));
}

BOOST_AUTO_TEST_SUITE_END()
