// SPDX-License-Identifier: Apache-2.0
#include "actors/policy/admission.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/support/printing.hpp"

#include <random>

using namespace std::chrono_literals;
using sluice::messages::ErrorCode;
using sluice::policy::admission;
using sluice::policy::demand;
using sluice::policy::lane_capacity;
using sluice::policy::request_place;

namespace {

constexpr lane_capacity small_lane{.context_tokens = 128,
                                   .pool_pages = 16,
                                   .page_tokens = 16,
                                   .max_sequences = 4,
                                   .max_waiting = 3};

demand asking(std::uint64_t request, std::uint32_t prompt, std::uint32_t most) {
  return {.request = request, .prompt_tokens = prompt, .max_tokens = most};
}

} // namespace

BOOST_AUTO_TEST_SUITE(admission_policy)

BOOST_AUTO_TEST_CASE(refuses_what_can_never_fit) {
  struct row {
    const char* what;
    demand asked;
    ErrorCode expected;
  };
  auto many = asking(1, 10, 100);
  many.sequences = 3; // 3 * 7 pages of 16
  auto crowd = asking(1, 1, 1);
  crowd.sequences = 5;
  const row table[] = {
      {"fits", asking(1, 10, 10), ErrorCode::none},
      {"fills the context", asking(1, 127, 1), ErrorCode::none},
      {"prompt as long as the context", asking(1, 128, 1),
       ErrorCode::prompt_too_long},
      {"more pages than the pool", many, ErrorCode::never_fits},
      {"more sequences than the lane", crowd, ErrorCode::never_fits},
      {"max_tokens beyond the context is cut", asking(1, 100, 100'000),
       ErrorCode::none},
  };
  for (const auto& [what, asked, expected] : table) {
    admission policy{small_lane};
    const auto refused = policy.offer(asked, 0ns);
    BOOST_TEST_CONTEXT(what) {
      BOOST_TEST((refused ? refused->code : ErrorCode::none) == expected);
      if (refused)
        BOOST_TEST(!refused->text.empty());
    }
  }
}

BOOST_AUTO_TEST_CASE(bounds_the_queue_and_says_when_to_retry) {
  admission policy{small_lane};
  for (std::uint64_t i = 1; i <= 3; ++i)
    BOOST_TEST(!policy.offer(asking(i, 8, 8), 0ns).has_value());
  const auto refused = policy.offer(asking(4, 8, 8), 0ns);
  BOOST_REQUIRE(refused.has_value());
  BOOST_TEST((refused->code == ErrorCode::queue_full));
  BOOST_TEST(refused->retry_after_ms > 0u);
  BOOST_TEST((policy.place(4) == request_place::unknown));
}

BOOST_AUTO_TEST_CASE(admits_by_priority_then_arrival_and_never_overtakes) {
  admission policy{small_lane};
  auto large = asking(2, 100, 100); // 8 pages
  auto urgent = asking(3, 8, 8);
  urgent.priority = 1;
  BOOST_TEST(!policy.offer(asking(1, 100, 100), 0ns).has_value());
  BOOST_TEST(!policy.offer(large, 0ns).has_value());
  BOOST_TEST(!policy.offer(urgent, 0ns).has_value());
  // 1 + 8 pages run; the second large one does not fit and nobody passes it.
  BOOST_TEST(policy.admit() == (std::vector<std::uint64_t>{3, 1}),
             boost::test_tools::per_element());
  BOOST_TEST(!policy.offer(asking(4, 8, 8), 0ns).has_value());
  BOOST_TEST(policy.admit().empty());
  BOOST_TEST((policy.remove(1) == request_place::running));
  BOOST_TEST(policy.admit() == (std::vector<std::uint64_t>{2, 4}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(expires_deadlines_and_queue_timeouts) {
  admission policy{small_lane};
  auto hurried = asking(1, 8, 8);
  hurried.deadline = 50ms;
  auto impatient = asking(2, 8, 8);
  impatient.queue_deadline = 20ms;
  BOOST_TEST(!policy.offer(hurried, 0ns).has_value());
  policy.admit();
  BOOST_TEST(!policy.offer(impatient, 0ns).has_value());
  BOOST_TEST((policy.next_deadline() == std::optional{20'000'000ns}));
  BOOST_TEST(policy.expired(10ms).empty());
  const auto due = policy.expired(60ms);
  BOOST_REQUIRE_EQUAL(due.size(), 2u);
  BOOST_TEST((due[0].code == ErrorCode::deadline_exceeded && due[0].running));
  BOOST_TEST((due[1].code == ErrorCode::queue_timeout && !due[1].running));
  policy.admit(); // once it runs, its queue timeout is over
  BOOST_TEST(policy.expired(40ms).empty());
}

BOOST_AUTO_TEST_CASE(counts_come_back_to_zero_after_any_order_of_events) {
  std::mt19937 random{7};
  admission policy{small_lane};
  std::vector<std::uint64_t> known;
  for (std::uint64_t i = 1; i <= 2000; ++i) {
    auto asked = asking(i, 1 + random() % 100, 1 + random() % 100);
    asked.sequences = 1 + random() % 2;
    asked.priority = static_cast<int>(random() % 3);
    if (!policy.offer(asked, std::chrono::nanoseconds{i}))
      known.push_back(i);
    policy.admit();
    BOOST_REQUIRE(policy.reserved_pages() <= small_lane.pool_pages);
    if (random() % 2 && !known.empty()) {
      std::swap(known[random() % known.size()], known.back());
      policy.remove(known.back());
      known.pop_back();
    }
  }
  for (const auto request : known)
    policy.remove(request);
  BOOST_TEST(policy.running() == 0u);
  BOOST_TEST(policy.waiting() == 0u);
  BOOST_TEST(policy.reserved_pages() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
