// SPDX-License-Identifier: Apache-2.0
// What a batcher and its page manager do about pages together: shared prompts,
// cached ones, giving way, leaks.
#include <algorithm>
#include <random>
#include <set>

#include "tests/actors/lane_fixture.hpp"

using namespace sluice;
using namespace sluice::tests;

namespace {

/// Five pages: two sequences of 16 + 16 positions do not fit.
struct short_lane : lane_fixture {
  short_lane() : lane_fixture{{.pool_pages = 5, .prefix_cache = false}} {}
};

struct swapping_lane : lane_fixture {
  swapping_lane()
      : lane_fixture{
            {.pool_pages = 5, .host_slots = 8, .prefix_cache = false}} {}
};

const messages::ReceiptT receipt_of(const heard& log, request_number request) {
  for (const auto& step : log.tokens)
    if (step->finished())
      for (const auto* each : *step->finished())
        if (each->request() == request) {
          messages::ReceiptT receipt;
          each->receipt()->UnPackTo(&receipt);
          return receipt;
        }
  BOOST_FAIL("request " << request << " has not finished");
  return {};
}

std::size_t finished(const heard& log) {
  return static_cast<std::size_t>(std::count_if(
      log.outcomes.begin(), log.outcomes.end(),
      [](const auto& o) { return o->code() == ErrorCode::none; }));
}

/// How often plans introduced a sequence to the device.
std::size_t introductions(const heard& log, std::uint64_t sequence) {
  std::size_t count = 0;
  for (const auto& plan : log.plans)
    if (plan->joined())
      for (const auto* state : *plan->joined())
        count += state->sequence() == sequence;
  return count;
}

std::size_t swaps(const heard& log, bool out) {
  std::size_t count = 0;
  for (const auto& plan : log.plans) {
    const auto* list = out ? plan->swaps_out() : plan->swaps_in();
    count += list ? list->size() : 0;
  }
  return count;
}

} // namespace

BOOST_AUTO_TEST_SUITE(lane_memory)

BOOST_FIXTURE_TEST_CASE(siblings_use_the_pages_of_one_prompt, lane_fixture) {
  auto work = work_of(1, 41, 4); // five pages and one position
  work.n = 4;
  admit(std::move(work));
  // The first computes the prompt by itself: 16 + 16 + 9 positions.
  for (int i = 0; i < 3; ++i)
    answer(40);
  // Five pages are shared, and each has one of its own.
  BOOST_TEST(ledger().active == 5u + 4u);
  std::set<std::uint64_t> introduced;
  for (const auto& plan : log->plans)
    if (plan->joined())
      for (const auto* state : *plan->joined()) {
        introduced.insert(state->sequence());
        const bool first = state->sequence() == sequence_key(1, 0);
        BOOST_TEST(state->computed() == (first ? 0u : 40u));
      }
  BOOST_TEST(introduced.size() == 4u);
  while (waiting_plans() > 0)
    answer(40);
  BOOST_TEST(finished(*log) == 1u);
  BOOST_TEST(unused_pages() == pool_pages);
}

BOOST_FIXTURE_TEST_CASE(a_prompt_is_computed_once, lane_fixture) {
  admit(work_of(1, 41, 2));
  while (waiting_plans() > 0)
    answer(40);
  const auto before = log->plans.size();
  admit(work_of(2, 41, 2));
  const auto& first = *log->plans.at(before)->rows()->Get(0);
  BOOST_TEST(first.start() == 40u); // the last token gives the next one
  BOOST_TEST(first.tokens()->size() == 1u);
  while (waiting_plans() > 0)
    answer(40);
  BOOST_TEST(receipt_of(*log, 1).cached_tokens == 0u);
  BOOST_TEST(receipt_of(*log, 2).cached_tokens == 40u);
}

BOOST_FIXTURE_TEST_CASE(tenants_share_nothing, lane_fixture) {
  for (const auto* tenant : {"a", "b"}) {
    auto work = work_of(tenant[0], 41, 2);
    work.tenant = tenant;
    admit(std::move(work));
    while (waiting_plans() > 0)
      answer(40);
  }
  BOOST_TEST(receipt_of(*log, 'b').cached_tokens == 0u);
}

BOOST_FIXTURE_TEST_CASE(what_is_scored_is_computed, lane_fixture) {
  admit(work_of(1, 41, 2));
  while (waiting_plans() > 0)
    answer(40);
  auto work = work_of(2, 41, 2);
  work.score_from = 20; // position 19 says how likely token 20 is
  const auto before = log->plans.size();
  admit(std::move(work));
  BOOST_TEST(log->plans.at(before)->rows()->Get(0)->start() <= 19u);
  BOOST_TEST(log->plans.at(before)->rows()->Get(0)->start() >= 16u);
}

BOOST_FIXTURE_TEST_CASE(the_later_gives_way_and_is_computed_again, short_lane) {
  admit(work_of(1, 16, 16));
  admit(work_of(2, 16, 16));
  while (waiting_plans() > 0 && answered < 500)
    answer(40);
  BOOST_TEST(finished(*log) == 2u);
  BOOST_TEST(receipt_of(*log, 1).preemptions == 0u);
  const auto second = receipt_of(*log, 2);
  BOOST_TEST(second.preemptions > 0u);
  BOOST_TEST(second.generated_tokens == 16u);
  BOOST_TEST(introductions(*log, sequence_key(2, 0)) ==
             1u + second.preemptions);
  BOOST_TEST(unused_pages() == 5u);
}

BOOST_FIXTURE_TEST_CASE(or_waits_in_host_memory, swapping_lane) {
  admit(work_of(1, 16, 16));
  admit(work_of(2, 16, 16));
  while (waiting_plans() > 0 && answered < 500)
    answer(40);
  BOOST_TEST(finished(*log) == 2u);
  BOOST_TEST(receipt_of(*log, 2).preemptions > 0u);
  BOOST_TEST(introductions(*log, sequence_key(2, 0)) == 1u);
  BOOST_TEST(swaps(*log, true) > 0u);
  BOOST_TEST(swaps(*log, false) == swaps(*log, true));
  BOOST_TEST(ledger().swapped == 0u);
}

BOOST_FIXTURE_TEST_CASE(who_gave_way_can_be_cancelled, swapping_lane) {
  admit(work_of(1, 16, 16));
  admit(work_of(2, 16, 16));
  while (swaps(*log, true) == 0 && waiting_plans() > 0)
    answer(40);
  BOOST_TEST(ledger().swapped > 0u);
  stop(2, FinishReason::cancelled);
  BOOST_TEST(ledger().swapped == 0u);
  BOOST_TEST(finished(*log) == 1u);
  while (waiting_plans() > 0)
    answer(40);
  BOOST_TEST(finished(*log) == 2u);
  BOOST_TEST(unused_pages() == 5u);
}

BOOST_AUTO_TEST_CASE(whoever_ends_about_to_be_swapped_leaves) {
  std::mt19937 dice{5};
  const auto below = [&](std::uint32_t most) {
    return static_cast<std::uint32_t>(dice() % most);
  };
  for (int round = 0; round < 200; ++round) {
    const auto pool = 7 + below(6);
    lane_fixture lane{{.pool_pages = pool,
                       .host_slots = 1 + below(8),
                       .prefix_cache = below(2) == 0}};
    for (request_number i = 1; i <= 4; ++i) {
      auto work = work_of(i, 1 + below(16), 1 + below(12));
      work.n = 1 + below(2);
      work.stopping->stop_tokens = {eos};
      lane.admit(std::move(work));
    }
    while (lane.waiting_plans() > 0 && lane.answered < 500) {
      lane.answer(below(12) == 0 ? eos : 40);
      if (below(30) == 0)
        lane.stop(1 + below(4), FinishReason::cancelled);
    }
    BOOST_TEST(finished(*lane.log) == 4u);
    BOOST_TEST(lane.ledger().swapped == 0u);
    BOOST_TEST(lane.unused_pages() == pool);
  }
}

BOOST_FIXTURE_TEST_CASE(a_failed_step_fails_those_that_it_moved,
                        swapping_lane) {
  admit(work_of(1, 16, 16));
  admit(work_of(2, 16, 16));
  while (swaps(*log, true) == 0 && waiting_plans() > 0)
    answer(40);
  const auto moving = log->plans.size() - 1;
  while (answered < moving)
    answer(40);
  answer(0, ErrorCode::executor_failed);
  // No row of the plan names the second, but its pages may be wrong.
  const auto& plan = *log->plans.at(moving);
  if (plan.rows())
    for (const auto* row : *plan.rows())
      BOOST_TEST(row->sequence() == sequence_key(1, 0));
  const auto failed = std::find_if(
      log->outcomes.begin(), log->outcomes.end(),
      [](const auto& outcome) { return outcome->request() == 2u; });
  BOOST_REQUIRE(failed != log->outcomes.end());
  BOOST_TEST((*failed)->code() == ErrorCode::executor_failed);
  while (waiting_plans() > 0)
    answer(40);
  BOOST_TEST(unused_pages() == 5u);
}

BOOST_FIXTURE_TEST_CASE(pages_that_a_failed_step_wrote_are_not_cached,
                        lane_fixture) {
  admit(work_of(1, 24, 8));
  answer(40); // the first two pages
  answer(40, ErrorCode::executor_failed);
  while (waiting_plans() > 0)
    answer(40);
  BOOST_TEST(ledger().cached == 0u);
  BOOST_TEST(ledger().free == pool_pages);
}

BOOST_FIXTURE_TEST_CASE(receipts_count_page_seconds, lane_fixture) {
  admit(work_of(1, 8, 2));
  advance(std::chrono::seconds{2});
  while (waiting_plans() > 0)
    answer(40);
  BOOST_TEST(receipt_of(*log, 1).page_seconds >= 2.0);
}

BOOST_FIXTURE_TEST_CASE(who_can_never_have_pages_fails, short_lane) {
  admit(work_of(1, 8, 2));
  while (waiting_plans() > 0)
    answer(40);
  auto& books =
      state_of<kv_page_manager_state>(pages).pages_for_test().books_for_test();
  BOOST_REQUIRE(books.claim(999, 5)); // pages that are nobody's
  admit(work_of(2, 8, 2));
  BOOST_REQUIRE_EQUAL(log->outcomes.size(), 2u);
  BOOST_TEST(log->outcomes[1]->code() == ErrorCode::ledger_discrepancy);
  BOOST_TEST(ledger().free == 5u); // and are taken back when all is quiet
}

BOOST_AUTO_TEST_CASE(a_leak_fails_one_request_while_fifty_finish) {
  lane_fixture lane{{.pool_pages = 200}};
  for (request_number i = 1; i <= 51; ++i)
    lane.admit(work_of(i, 8 + i % 5, 6));
  auto& books = lane.state_of<kv_page_manager_state>(lane.pages)
                    .pages_for_test()
                    .books_for_test();
  while (books.pages_of(sequence_key(7, 0)).empty())
    lane.answer(40);
  books.leak_for_test(sequence_key(7, 0));
  while (lane.waiting_plans() > 0)
    lane.answer(40);
  BOOST_TEST(finished(*lane.log) == 50u);
  BOOST_REQUIRE_EQUAL(lane.log->outcomes.size(), 51u);
  for (const auto& outcome : lane.log->outcomes)
    if (outcome->code() != ErrorCode::none) {
      BOOST_TEST(outcome->request() == 7u);
      BOOST_TEST(outcome->code() == ErrorCode::ledger_discrepancy);
    }
  BOOST_TEST(lane.unused_pages() == 200u);
}

BOOST_AUTO_TEST_SUITE_END()
