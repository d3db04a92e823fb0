// SPDX-License-Identifier: Apache-2.0
#include "actors/policy/service_rate.hpp"

#include <boost/test/unit_test.hpp>

using namespace std::chrono_literals;
using sluice::policy::instant;
using sluice::policy::service_rate;

BOOST_AUTO_TEST_SUITE(service_rate_policy)

BOOST_AUTO_TEST_CASE(gives_places_in_line_at_the_pace_of_departures) {
  struct row {
    const char* what;
    instant gap;
    instant first, third;
  };
  const row table[] = {
      {"ten a second", 100ms, 100ms, 300ms},
      {"one in two seconds", 2s, 2s, 6s},
      {"very fast", 1ms, 50ms, 52ms},
      {"very slow", 40s, 40s, 60s},
  };
  for (const auto& [what, gap, first, third] : table) {
    service_rate rate;
    instant now = 1h;
    for (int i = 0; i < 10; ++i)
      rate.finished(now += gap, true);
    BOOST_TEST_CONTEXT(what) {
      BOOST_TEST((rate.retry_after(now) == first));
      rate.retry_after(now);
      BOOST_TEST((rate.retry_after(now) == third));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_silent_lane_is_a_slow_one) {
  service_rate rate;
  BOOST_TEST((rate.retry_after(1h) == 1s)); // nothing is known yet
  rate.finished(1h, true);
  rate.finished(1h + 100ms, true);
  BOOST_TEST((rate.retry_after(1h + 30s) == 29'900ms));
}

BOOST_AUTO_TEST_CASE(idle_times_do_not_count) {
  service_rate rate;
  rate.finished(1h, true);
  rate.finished(1h + 100ms, true);
  rate.finished(5h, false); // nobody had waited
  rate.finished(5h + 100ms, true);
  BOOST_TEST((rate.retry_after(5h + 100ms) == 100ms));
}

BOOST_AUTO_TEST_SUITE_END()
