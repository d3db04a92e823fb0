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

const lane_capacity small_lane{.context_tokens = 128,
                               .pool_pages = 16,
                               .page_tokens = 16,
                               .max_sequences = 4,
                               .max_waiting = 3};

demand asking(std::uint64_t request, std::uint32_t prompt, std::uint32_t most) {
  return {.request = request, .prompt_tokens = prompt, .max_tokens = most};
}

demand of_tenant(const char* tenant, std::uint64_t request) {
  auto asked = asking(request, 8, 8);
  asked.tenant = tenant;
  return asked;
}

lane_capacity lane_with(std::uint32_t sequences, std::uint32_t waiting = 1000) {
  auto lane = small_lane;
  lane.max_sequences = sequences;
  lane.max_waiting = waiting;
  return lane;
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

BOOST_AUTO_TEST_CASE(tenants_with_least_service_go_first) {
  admission policy{lane_with(1)};
  for (std::uint64_t i = 1; i <= 4; ++i)
    BOOST_TEST(!policy.offer(of_tenant("loud", i), 0ns).has_value());
  for (std::uint64_t i = 11; i <= 12; ++i)
    BOOST_TEST(!policy.offer(of_tenant("quiet", i), 0ns).has_value());
  std::vector<std::uint64_t> order;
  for (int i = 0; i < 6; ++i) {
    const auto started = policy.admit();
    BOOST_REQUIRE_EQUAL(started.size(), 1u);
    order.push_back(started[0]);
    policy.generated(started[0], 3);
    policy.served(started[0], 8, 1ms);
    policy.remove(started[0]);
  }
  BOOST_TEST(order == (std::vector<std::uint64_t>{1, 11, 2, 12, 3, 4}),
             boost::test_tools::per_element());
  BOOST_TEST(policy.shares().counter("loud") == 4 * (8 + 2 * 8));
}

BOOST_AUTO_TEST_CASE(priority_stands_above_shares) {
  admission policy{lane_with(1)};
  auto urgent = of_tenant("loud", 2);
  urgent.priority = 1;
  BOOST_TEST(!policy.offer(of_tenant("loud", 1), 0ns).has_value());
  policy.admit();
  policy.served(1, 1000, 0ns);
  policy.remove(1);
  BOOST_TEST(!policy.offer(of_tenant("quiet", 11), 0ns).has_value());
  BOOST_TEST(!policy.offer(urgent, 0ns).has_value());
  BOOST_TEST(policy.admit() == std::vector<std::uint64_t>{2},
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(tenants_keep_to_their_limits) {
  auto lane = lane_with(4);
  lane.tenants = {.max_waiting = 2, .max_running = 1};
  admission policy{lane};
  for (std::uint64_t i = 1; i <= 2; ++i)
    BOOST_TEST(!policy.offer(of_tenant("loud", i), 0ns).has_value());
  const auto refused = policy.offer(of_tenant("loud", 3), 0ns);
  BOOST_REQUIRE(refused.has_value());
  BOOST_TEST((refused->code == ErrorCode::too_many_requests));
  BOOST_TEST(refused->retry_after_ms == 1000u); // nothing is measured yet
  BOOST_TEST(!policy.offer(of_tenant("quiet", 11), 0ns).has_value());
  // "loud" runs one; the second does not hold "quiet" up.
  BOOST_TEST(policy.admit() == (std::vector<std::uint64_t>{1, 11}),
             boost::test_tools::per_element());
  policy.remove(1);
  BOOST_TEST(policy.admit() == std::vector<std::uint64_t>{2},
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(weights_divide_the_lane) {
  auto lane = lane_with(1, 10'000);
  lane.weights = {{"gold", 3.0}};
  admission policy{lane};
  for (std::uint64_t i = 0; i < 400; ++i)
    BOOST_TEST(
        !policy.offer(of_tenant(i % 2 ? "gold" : "free", i), 0ns).has_value());
  int gold = 0;
  for (int i = 0; i < 200; ++i) {
    const auto request = policy.admit().at(0);
    gold += request % 2;
    policy.served(request, 8, 0ns);
    policy.remove(request);
  }
  BOOST_TEST(gold == 150);
}

BOOST_AUTO_TEST_CASE(without_prices_tenants_are_served_as_they_come) {
  auto lane = lane_with(100);
  lane.max_sequences = 1;
  lane.prices = {0, 0}; // scheduling.fair_share = false
  admission policy{lane};
  const char* tenants[] = {"loud", "loud", "loud", "quiet", "loud"};
  for (std::uint64_t i = 0; i < std::size(tenants); ++i) {
    auto asked = asking(i + 1, 8, 8);
    asked.tenant = tenants[i];
    BOOST_TEST(!policy.offer(asked, 0ns).has_value());
  }
  for (std::uint64_t i = 0; i < std::size(tenants); ++i) {
    BOOST_TEST(policy.admit().at(0) == i + 1);
    policy.served(i + 1, 8, 0ns);
    policy.remove(i + 1);
  }
}

BOOST_AUTO_TEST_CASE(side_bytes_are_reserved_and_refused) {
  auto lane = lane_with(4);
  auto asked = asking(1, 10, 20);
  asked.logprobs = 5;
  asked.sequences = 2;
  // 30 tokens of 4 bytes and 20 times 5 entries of 16, twice
  BOOST_TEST(sluice::policy::side_bytes(asked, 128) == 3440u);
  auto scored = asked;
  scored.scores = 9 * 3; // of the first sequence alone
  BOOST_TEST(sluice::policy::side_bytes(scored, 128) == 3440u + 27 * 16);
  lane.side_bytes = 4000;
  admission policy{lane};
  BOOST_TEST(!policy.offer(asked, 0ns).has_value());
  asked.request = 2;
  BOOST_TEST(!policy.offer(asked, 0ns).has_value());
  BOOST_TEST(policy.admit().size() == 1u);
  BOOST_TEST(policy.reserved_side_bytes() == 3440u);
  policy.remove(1);
  BOOST_TEST(policy.admit().size() == 1u);
  asked.request = 3;
  asked.logprobs = 20;
  const auto refused = policy.offer(asked, 0ns);
  BOOST_REQUIRE(refused.has_value());
  BOOST_TEST((refused->code == ErrorCode::never_fits));
}

BOOST_AUTO_TEST_CASE(admits_by_prompt_while_the_pool_has_pages) {
  auto lane = small_lane;
  lane.max_sequences = 8;
  lane.max_waiting = 8;
  lane.reserve = sluice::policy::reserve_rule::prompt;
  admission policy{lane};
  for (std::uint64_t i = 1; i <= 5; ++i) // 3 pages now, 8 at the end
    BOOST_TEST(!policy.offer(asking(i, 48, 80), 0ns).has_value());
  // 3 * 4 pages and a margin of 4 are 16; the fifth has to wait.
  BOOST_TEST(policy.admit().size() == 4u);
  BOOST_TEST(policy.reserved_pages() == 12u);
  for (std::uint64_t i = 1; i <= 4; ++i)
    policy.generated(i, 1);
  BOOST_TEST(policy.reserved_pages() == 0u); // the pool counts them now
  policy.pool_has(4, 0);
  BOOST_TEST(policy.admit().empty()); // 3 + 5 > 4
  policy.pool_has(2, 6);              // cached pages can go
  BOOST_TEST(policy.admit().size() == 1u);
}

BOOST_AUTO_TEST_CASE(an_empty_lane_takes_anybody) {
  auto lane = small_lane;
  lane.reserve = sluice::policy::reserve_rule::prompt;
  admission policy{lane};
  policy.pool_has(0, 0);
  BOOST_TEST(!policy.offer(asking(1, 100, 20), 0ns).has_value());
  BOOST_TEST(policy.admit().size() == 1u);
}

BOOST_AUTO_TEST_CASE(counts_come_back_to_zero_after_any_order_of_events) {
  std::mt19937 random{7};
  admission policy{small_lane};
  std::vector<std::uint64_t> known;
  for (std::uint64_t i = 1; i <= 2000; ++i) {
    auto asked = asking(i, 1 + random() % 100, 1 + random() % 100);
    asked.sequences = 1 + random() % 2;
    asked.priority = static_cast<int>(random() % 3);
    asked.tenant = std::string(1, static_cast<char>('a' + random() % 4));
    if (random() % 2)
      asked.deadline = std::chrono::nanoseconds{random() % 3000};
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
  BOOST_TEST(policy.reserved_side_bytes() == 0u);
  BOOST_TEST(!policy.next_deadline().has_value());
}

BOOST_AUTO_TEST_CASE(answers_that_are_kept_take_host_memory) {
  auto asked = asking(1, 10, 20);
  asked.sequences = 4;
  const auto streamed = sluice::policy::side_bytes(asked, 128);
  asked.kept = 8;
  const auto kept = sluice::policy::side_bytes(asked, 128);
  BOOST_TEST(kept == streamed + 8u * 20u * 32u);
  asked.logprobs = 3;
  BOOST_TEST(sluice::policy::side_bytes(asked, 128) ==
             kept + 4u * 20u * 3u * 16u + 8u * 20u * 3u * 64u);
  auto lane = small_lane;
  lane.side_bytes = kept - 1;
  admission gate{lane};
  asked.logprobs = 0;
  const auto refused = gate.offer(asked, 0s);
  BOOST_REQUIRE(refused);
  BOOST_TEST(refused->code == ErrorCode::never_fits);
}

BOOST_AUTO_TEST_SUITE_END()
