// SPDX-License-Identifier: Apache-2.0
#include "actors/policy/stall.hpp"

#include <boost/test/unit_test.hpp>

using namespace std::chrono_literals;
using namespace sluice::policy;

BOOST_AUTO_TEST_SUITE(stall_policy)

BOOST_AUTO_TEST_CASE(names_who_does_not_move_and_nobody_else) {
  struct {
    const char* name;
    lane_pulse pulse;
    const char* expected; // part of the text; empty: all move
  } table[] = {
      {"idle for a day", {.step_age = 24h, .decision_age = 24h}, ""},
      {"a long step",
       {.running = 1, .sequences = 1, .plans = 1, .plan_age = 29s},
       ""},
      {"a stuck one",
       {.running = 1,
        .sequences = 1,
        .plans = 2,
        .oldest_plan = 7,
        .plan_age = 31s,
        .step_age = 31s},
       "executor has worked on step 7 for 31 s"},
      {"no pages come",
       {.running = 1, .sequences = 1, .awaits_pages = true, .pages_age = 31s},
       "kv_page_manager"},
      {"the batcher is gone",
       {.running = 1, .batcher_age = 40s},
       "batcher has not answered for 40 s"},
      {"the scheduler is gone",
       {.scheduler_age = 40s},
       "scheduler has not answered"},
      {"nothing is planned",
       {.running = 1, .sequences = 3, .step_age = 31s},
       "3 sequences"},
      {"a queue before an empty lane",
       {.waiting = 1, .decision_age = 31s},
       "1 request wait"},
      {"a queue before a full one",
       {.waiting = 9, .running = 4, .decision_age = 31s},
       ""},
      {"the executor is the cause of the rest",
       {.waiting = 2,
        .running = 1,
        .plans = 1,
        .plan_age = 50s,
        .batcher_age = 50s},
       "executor"},
  };
  for (const auto& [name, pulse, expected] : table) {
    const auto found = find_stall(pulse, 30s);
    const std::string wanted{expected};
    BOOST_TEST((wanted.empty() ? found.empty()
                               : found.find(wanted) != std::string::npos),
               name << ": " << found);
  }
}

BOOST_AUTO_TEST_SUITE_END()
