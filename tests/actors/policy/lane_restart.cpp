// SPDX-License-Identifier: Apache-2.0
// A lane whose device was lost: who was named, who held pages, and how
// everybody comes back.
#include "actors/policy/page_pressure.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <numeric>

using namespace sluice::policy;

namespace {

using keys = std::vector<std::uint64_t>;

struct restarted_lane {
  lane_schedule lane{{.context_tokens = 64,
                      .step_tokens = 32,
                      .pipeline_depth = 2,
                      .page_tokens = 8}};
  page_pressure pressure{{.page_tokens = 8, .least_progress = 4}};

  void join(std::uint64_t key, std::uint32_t tokens,
            prompt_scoring scoring = {}, std::uint64_t parent = 0,
            std::uint64_t group = 0) {
    std::vector<std::uint32_t> prompt(tokens);
    std::iota(prompt.begin(), prompt.end(), 100u);
    lane.join({.key = key,
               .prompt = prompt,
               .max_tokens = 6,
               .scoring = scoring,
               .parent = parent,
               .group = group});
  }

  keys enter() { // all that wish, with nothing in the cache
    keys entered;
    for (const auto& wish : lane.wishes()) {
      entered.push_back(wish.sequence);
      lane.enter(wish.sequence, wish.parent == 0 ? 0 : wish.most_cached);
    }
    return entered;
  }

  step_draft plan() {
    auto draft = lane.draft();
    BOOST_REQUIRE(draft.has_value());
    lane.confirm(*draft, {});
    return *draft;
  }

  /// All that are outside ask again.
  keys come_back() {
    pressure.pool_has({.available = 1000});
    for (const auto sequence : pressure.returns(lane))
      lane.ask_again(sequence);
    return enter();
  }
};

const planned_row* row_of(const step_draft& draft, std::uint64_t sequence) {
  const auto found =
      std::find_if(draft.rows.begin(), draft.rows.end(),
                   [=](const auto& row) { return row.sequence == sequence; });
  return found == draft.rows.end() ? nullptr : &*found;
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(lane_restart, restarted_lane)

BOOST_AUTO_TEST_CASE(plans_on_their_way_are_void_and_done) {
  join(1, 4);
  join(2, 40); // in its prompt for two steps
  enter();
  plan();
  plan();
  const auto lost = lane.start_over();
  BOOST_TEST(lost.held == (keys{1, 2}), boost::test_tools::per_element());
  BOOST_TEST(lost.named == (keys{1, 2}), boost::test_tools::per_element());
  BOOST_TEST(lane.plans_on_their_way() == 0u);
  BOOST_TEST(lane.finished_plan() == 2u);
  BOOST_TEST(lane.outside() == 2u);
  BOOST_TEST(lane.result(1).empty()); // one that comes late says nothing
  BOOST_TEST(!lane.draft().has_value());
}

BOOST_AUTO_TEST_CASE(nobody_generates_more_or_less_than_it_may) {
  join(1, 4);
  enter();
  const auto first = plan(); // two of the six tokens are on their way
  plan();
  lane.result(first.number);
  lane.append(1, 50);
  lane.start_over();
  come_back();
  std::uint32_t tokens = 1;
  while (true) {
    const auto draft = plan();
    const auto* row = row_of(draft, 1);
    BOOST_REQUIRE(row);
    if (tokens == 1)
      BOOST_TEST(row->length() == 5u); // the prompt and what was known
    BOOST_TEST(row->sampled);
    lane.result(draft.number);
    ++tokens;
    if (lane.append(1, 50 + tokens))
      break;
    BOOST_REQUIRE(tokens < 10u);
  }
  BOOST_TEST(tokens == 6u);
  BOOST_TEST(!lane.draft().has_value());
}

BOOST_AUTO_TEST_CASE(what_was_swapped_out_is_lost_too) {
  join(1, 4);
  join(2, 4);
  enter();
  lane.result(plan().number);
  lane.append(1, 50);
  lane.append(2, 50);
  lane.give_way(2, give_way::swap);
  const auto lost = lane.start_over();
  BOOST_TEST(lost.held == (keys{1, 2}), boost::test_tools::per_element());
  BOOST_TEST(lost.named.empty());
  BOOST_TEST(!lane.is_swapped(2));
  BOOST_TEST(come_back() == (keys{1, 2}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(siblings_share_the_prompt_again) {
  join(1, 20);
  join(2, 20, {}, 1);
  join(3, 20, {}, 1);
  enter();
  lane.result(plan().number);
  lane.append(1, 50);
  BOOST_TEST(enter() == (keys{2, 3}), boost::test_tools::per_element());
  auto next = plan();
  lane.result(next.number);
  for (const auto& row : next.rows)
    lane.append(row.sequence, 60);
  lane.start_over();
  BOOST_TEST(come_back() == keys{1}, boost::test_tools::per_element());
  next = plan();
  BOOST_REQUIRE_EQUAL(next.rows.size(), 1u);
  BOOST_TEST(next.rows[0].length() == 22u);
  BOOST_TEST(enter().empty()); // it has not been computed
  lane.result(next.number);
  const auto wishes = lane.wishes();
  BOOST_REQUIRE_EQUAL(wishes.size(), 2u);
  for (const auto& wish : wishes) {
    BOOST_TEST(wish.parent == 1u);
    BOOST_TEST(wish.most_cached == 20u); // the prompt: their tokens differ
    lane.enter(wish.sequence, wish.most_cached);
  }
  lane.append(1, 51);
  const auto draft = plan();
  const auto* row = row_of(draft, 2);
  BOOST_REQUIRE(row);
  BOOST_TEST(row->start == 20u);
}

BOOST_AUTO_TEST_CASE(siblings_of_one_that_has_ended_come_alone) {
  join(1, 20);
  join(2, 20, {}, 1);
  enter();
  lane.result(plan().number);
  lane.append(1, 50);
  enter();
  lane.result(plan().number);
  lane.end(1);
  lane.start_over();
  BOOST_TEST(come_back() == keys{2}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(beams_come_back_together) {
  join(1, 20, {}, 0, 7);
  enter();
  lane.result(plan().number);
  lane.fork(1, 2, 51); // has not entered yet
  lane.append(1, 50);
  const auto lost = lane.start_over();
  BOOST_TEST(lost.held == keys{1}, boost::test_tools::per_element());
  BOOST_TEST(lane.outside() == 2u);
  BOOST_TEST(come_back() == keys{1}, boost::test_tools::per_element());
  lane.result(plan().number);
  const auto wishes = lane.wishes();
  BOOST_REQUIRE_EQUAL(wishes.size(), 1u);
  BOOST_TEST(wishes[0].sequence == 2u);
  BOOST_TEST(wishes[0].parent == 1u);
  BOOST_TEST(wishes[0].most_cached == 20u);
}

BOOST_AUTO_TEST_CASE(positions_are_scored_once) {
  join(1, 40, {.from = 1});
  enter();
  const auto first = plan(); // 32 of the prompt
  plan();
  lane.result(first.number);
  lane.start_over();
  come_back();
  std::uint32_t scored =
      static_cast<std::uint32_t>(first.rows[0].next_tokens.size());
  BOOST_TEST(scored == 32u);
  for (int i = 0; i < 2; ++i) {
    const auto draft = plan();
    scored += static_cast<std::uint32_t>(draft.rows[0].next_tokens.size());
    lane.result(draft.number);
  }
  BOOST_TEST(scored == 39u);
}

BOOST_AUTO_TEST_SUITE_END()
