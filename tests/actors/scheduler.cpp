// SPDX-License-Identifier: Apache-2.0
#include "actors/scheduler.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/support/actor_fixture.hpp"
#include "tests/support/mock_lane.hpp"
#include "tests/support/printing.hpp"

using namespace std::chrono_literals;
using namespace sluice;
using namespace sluice::tests;
using messages::ErrorCode;
using messages::FinishReason;

namespace {

policy::lane_capacity small_lane() {
  return {.context_tokens = 128,
          .pool_pages = 16,
          .page_tokens = 16,
          .max_sequences = 2,
          .max_waiting = 3};
}

policy::lane_capacity lane_by_prompt() {
  auto lane = small_lane();
  lane.max_sequences = 8;
  lane.reserve = policy::reserve_rule::prompt;
  return lane;
}

struct scheduler_fixture : actor_fixture {
  explicit scheduler_fixture(policy::lane_capacity lane = small_lane()) {
    queue = keep(
        system.spawn(scheduler, std::move(lane),
                     scheduler_neighbours{keep(mock_publisher(system, log)),
                                          keep(mock_meter(system, log))}));
    caf::anon_send(queue, open_atom::value, keep(mock_gateway(system, log)));
    caf::anon_send(queue, open_atom::value, std::uint32_t{0},
                   keep(mock_batcher(system, log)));
    run();
  }

  void prepared(messages::WorkT work, ErrorCode code = ErrorCode::none) {
    messages::PreparedT message;
    message.work = std::make_unique<messages::WorkT>(std::move(work));
    message.code = code;
    message.text = "why";
    caf::anon_send(queue, messages::pack<messages::Prepared>(message));
    run();
  }

  void outcome(request_number request, std::uint32_t tokens = 0) {
    messages::OutcomeT message;
    message.request = request;
    message.generated_tokens = tokens;
    caf::anon_send(queue, messages::pack<messages::Outcome>(message));
    run();
  }

  void cancel(request_number request) {
    caf::anon_send(queue, cancel_atom::value, request, FinishReason::cancelled);
    run();
  }

  scheduler_report counts() {
    return ask<scheduler_report>(queue, report_atom::value);
  }

  heard_ptr log = std::make_shared<heard>();
  scheduler_actor queue;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(scheduler_actor_tests, scheduler_fixture)

BOOST_AUTO_TEST_CASE(accepts_and_starts_what_fits_and_queues_the_rest) {
  for (request_number i = 1; i <= 4; ++i)
    prepared(work_of(i, 8, 8));
  BOOST_TEST(log->accepted == (std::vector<request_number>{1, 2, 3, 4}),
             boost::test_tools::per_element());
  BOOST_TEST(log->admitted.size() == 2u);
  BOOST_TEST(counts().waiting == 2u);
  outcome(1);
  BOOST_REQUIRE_EQUAL(log->admitted.size(), 3u);
  BOOST_TEST(log->admitted[2]->work()->request() == 3u);
}

BOOST_AUTO_TEST_CASE(refuses_with_a_type_before_anything_is_queued) {
  prepared(work_of(1, 8, 8), ErrorCode::unknown_model);
  prepared(work_of(2, 200, 8));
  for (request_number i = 3; i <= 8; ++i)
    prepared(work_of(i, 8, 8));
  BOOST_REQUIRE_EQUAL(log->rejected.size(), 3u);
  BOOST_TEST(log->rejected[0].second == ErrorCode::unknown_model);
  BOOST_TEST(log->rejected[1].second == ErrorCode::prompt_too_long);
  BOOST_TEST(log->rejected[2].second == ErrorCode::queue_full);
}

BOOST_AUTO_TEST_CASE(cancels_in_every_place) {
  for (request_number i = 1; i <= 3; ++i)
    prepared(work_of(i, 8, 8));
  cancel(3); // waiting: its stream ends here
  BOOST_REQUIRE_EQUAL(log->cancelled.size(), 1u);
  cancel(1); // running: the batcher ends it
  cancel(1); // twice is once
  BOOST_REQUIRE_EQUAL(log->stops.size(), 1u);
  BOOST_TEST(log->stops[0]->reason() == FinishReason::cancelled);
  cancel(4); // still with a preparer
  prepared(work_of(4, 8, 8));
  BOOST_REQUIRE_EQUAL(log->cancelled.size(), 2u);
  BOOST_TEST(log->accepted.back() == 4u);
  BOOST_TEST(counts().waiting == 0u);
}

BOOST_AUTO_TEST_CASE(deadlines_end_running_and_waiting_requests) {
  auto hurried = work_of(1, 8, 8);
  hurried.deadline_ms = 100;
  auto impatient = work_of(3, 8, 8);
  impatient.queue_timeout_ms = 50;
  prepared(std::move(hurried));
  prepared(work_of(2, 8, 8));
  prepared(std::move(impatient));
  advance(60ms);
  BOOST_REQUIRE_EQUAL(log->failed.size(), 1u);
  BOOST_TEST(log->failed[0].second == ErrorCode::queue_timeout);
  advance(60ms);
  BOOST_REQUIRE_EQUAL(log->stops.size(), 1u);
  BOOST_TEST(log->stops[0]->code() == ErrorCode::deadline_exceeded);
  advance(60ms); // it is not stopped twice while it leaves
  BOOST_TEST(log->stops.size() == 1u);
}

BOOST_AUTO_TEST_CASE(the_tenant_with_least_service_is_next) {
  const auto of = [](const char* tenant, request_number number) {
    auto work = work_of(number, 8, 8);
    work.tenant = tenant;
    return work;
  };
  for (request_number i = 1; i <= 4; ++i)
    prepared(of("loud", i));
  prepared(of("quiet", 9));
  outcome(1, 8);
  BOOST_REQUIRE_EQUAL(log->admitted.size(), 3u);
  BOOST_TEST(log->admitted[2]->work()->request() == 9u);
}

BOOST_AUTO_TEST_CASE(drains_when_the_last_request_has_left) {
  prepared(work_of(1, 8, 8));
  auto pending = self->request(queue, caf::infinite, drain_atom::value);
  run();
  prepared(work_of(2, 8, 8));
  BOOST_REQUIRE_EQUAL(log->rejected.size(), 1u);
  BOOST_TEST(log->rejected[0].second == ErrorCode::draining);
  outcome(1);
  bool drained = false;
  pending.receive([&](bool answer) { drained = answer; },
                  [](const caf::error&) {});
  BOOST_TEST(drained);
}

BOOST_AUTO_TEST_CASE(fails_what_is_left_when_time_is_up) {
  for (request_number i = 1; i <= 3; ++i)
    prepared(work_of(i, 8, 8));
  caf::anon_send(queue, failed_atom::value, ErrorCode::shutdown,
                 std::string{"stop"});
  run();
  BOOST_TEST(log->stops.size() == 2u);
  BOOST_REQUIRE_EQUAL(log->failed.size(), 1u);
  BOOST_TEST(log->failed[0].second == ErrorCode::shutdown);
}

BOOST_AUTO_TEST_SUITE_END()

namespace {

struct prompt_fixture : scheduler_fixture {
  prompt_fixture() : scheduler_fixture{lane_by_prompt()} {}

  void news(lane_news told) {
    caf::anon_send(queue, std::move(told));
    run();
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(scheduler_by_prompt_tests, prompt_fixture)

BOOST_AUTO_TEST_CASE(the_pool_decides_who_may_start) {
  for (request_number i = 1; i <= 5; ++i)
    prepared(work_of(i, 48, 80)); // 3 pages now, 8 at the end
  BOOST_TEST(log->admitted.size() == 4u);
  news({.free_pages = 4, .generated = {{1, 1}, {2, 1}, {3, 1}, {4, 1}}});
  BOOST_TEST(log->admitted.size() == 4u); // 3 and a margin of 5 are more
  news({.free_pages = 8});
  BOOST_TEST(log->admitted.size() == 5u);
}

BOOST_AUTO_TEST_SUITE_END()
