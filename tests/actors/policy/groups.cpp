// SPDX-License-Identifier: Apache-2.0
// Sequences of a group in a lane: forks, ranks, giving way and coming back.
#include "actors/policy/page_pressure.hpp"

#include <boost/test/unit_test.hpp>

#include <numeric>

using namespace sluice::policy;

namespace {

using keys = std::vector<std::uint64_t>;
constexpr std::uint32_t prompt_tokens = 20; // two full pages of 8

/// The rows of the next step, by sequence; its plan is done at once.
std::vector<planned_row> step(lane_schedule& lane) {
  auto draft = lane.draft();
  if (!draft)
    return {};
  lane.confirm(*draft, {});
  lane.result(draft->number);
  return draft->rows;
}

/// Three beams of a request, 1 to 3, each with one token to compute, and 9, a
/// sequence that came later.
lane_schedule three_beams() {
  lane_schedule lane{
      {.context_tokens = 64, .step_tokens = 64, .page_tokens = 8}};
  std::vector<std::uint32_t> prompt(prompt_tokens);
  std::iota(prompt.begin(), prompt.end(), 100u);
  lane.join({.key = 1, .prompt = prompt, .max_tokens = 9, .group = 7});
  lane.join({.key = 9, .prompt = {1, 2, 3}, .max_tokens = 9});
  lane.wishes();
  lane.enter(1, 0);
  lane.enter(9, 0);
  step(lane);
  lane.fork(1, 2, 51);
  lane.fork(1, 3, 52);
  lane.append(1, 50);
  for (const auto& wish : lane.wishes())
    lane.enter(wish.sequence, wish.most_cached);
  return lane;
}

} // namespace

BOOST_AUTO_TEST_SUITE(groups_in_a_lane)

BOOST_AUTO_TEST_CASE(a_fork_enters_with_what_its_parent_has) {
  lane_schedule lane{
      {.context_tokens = 64, .step_tokens = 16, .page_tokens = 8}};
  lane.join({.key = 1,
             .prompt = std::vector<std::uint32_t>(prompt_tokens, 5),
             .max_tokens = 9,
             .group = 7});
  lane.wishes();
  lane.enter(1, 0);
  step(lane);
  BOOST_TEST(step(lane).back().sampled);
  BOOST_TEST(step(lane).empty()); // its next token is not given yet
  lane.fork(1, 2, 51);
  lane.append(1, 50);
  const auto wishes = lane.wishes();
  BOOST_REQUIRE_EQUAL(wishes.size(), 1u);
  BOOST_TEST(wishes[0].sequence == 2u);
  BOOST_TEST(wishes[0].parent == 1u);
  BOOST_TEST(wishes[0].most_cached == prompt_tokens);
  lane.enter(2, prompt_tokens);
  const auto rows = step(lane);
  BOOST_REQUIRE_EQUAL(rows.size(), 2u);
  for (const auto& row : rows) {
    BOOST_TEST(row.start == prompt_tokens);
    BOOST_REQUIRE_EQUAL(row.tokens.size(), 1u); // by value
    BOOST_TEST(row.sampled);
  }
}

BOOST_AUTO_TEST_CASE(a_group_holds_its_prompt_once) {
  auto lane = three_beams();
  step(lane);
  const auto holders = lane.holders();
  BOOST_REQUIRE_EQUAL(holders.size(), 2u);
  BOOST_TEST(holders[0].sequences == 3u);
  BOOST_TEST(holders[0].pages == 2u + 3u);
  BOOST_TEST(!holders[0].can_swap);
  BOOST_TEST(holders[0].context_tokens == 16u + 3u * 5u);
  BOOST_TEST(holders[1].sequence == 9u); // forks rank with their parent
  BOOST_TEST(lane.unit_of(3) == lane.unit_of(1));
}

BOOST_AUTO_TEST_CASE(a_group_gives_way_and_comes_back_behind_one) {
  auto lane = three_beams();
  step(lane);
  const auto leader = lane.unit_of(2);
  const auto gone = lane.give_way(2, give_way::swap);
  BOOST_TEST(gone.size() == 3u);
  for (const auto key : gone)
    BOOST_TEST(!lane.is_swapped(key));
  BOOST_TEST(lane.outside() == 3u);
  const auto seekers = lane.seekers();
  BOOST_REQUIRE_EQUAL(seekers.size(), 1u);
  BOOST_TEST(seekers[0].sequences == 3u);
  BOOST_TEST(seekers[0].pages == 2u + 3u);
  // Who forks meanwhile is outside too.
  lane.fork(2, 4, 60);
  BOOST_TEST(lane.outside() == 4u);
  lane.end(4);

  lane.ask_again(seekers[0].sequence);
  auto wishes = lane.wishes();
  BOOST_REQUIRE_EQUAL(wishes.size(), 1u);
  BOOST_TEST(wishes[0].sequence == leader);
  BOOST_TEST(wishes[0].parent == 0u);
  lane.enter(leader, 0);
  BOOST_TEST(lane.wishes().empty());
  step(lane);
  wishes = lane.wishes();
  BOOST_REQUIRE_EQUAL(wishes.size(), 2u);
  for (const auto& wish : wishes) {
    BOOST_TEST(wish.parent == leader);
    BOOST_TEST(wish.most_cached == prompt_tokens); // what they begin with
  }
}

BOOST_AUTO_TEST_CASE(those_that_follow_can_come_when_the_leader_is_gone) {
  auto lane = three_beams();
  step(lane);
  const auto leader = lane.unit_of(2);
  lane.give_way(2, give_way::recompute);
  lane.ask_again(leader);
  lane.wishes();
  lane.enter(leader, 0);
  step(lane);
  lane.end(leader);
  BOOST_TEST(lane.wishes().size() == 2u);
}

BOOST_AUTO_TEST_CASE(a_group_returns_when_all_of_it_fits) {
  auto lane = three_beams();
  step(lane);
  page_pressure pressure{{.page_tokens = 8, .least_progress = 8}};
  lane.give_way(1, give_way::recompute);
  lane.give_way(9, give_way::recompute);
  pressure.pool_has({.available = 4});
  BOOST_TEST(pressure.returns(lane).empty());
  pressure.pool_has({.available = 5}); // alone it needs no more
  BOOST_TEST(pressure.returns(lane).size() == 1u);
  // The other needs one, and each of four one to grow by.
  pressure.pool_has({.available = 5 + 1 + 4});
  BOOST_TEST(pressure.returns(lane).size() == 2u);
}

BOOST_AUTO_TEST_CASE(a_group_steps_back_as_one) {
  auto lane = three_beams();
  step(lane);
  page_pressure pressure{{.page_tokens = 8, .least_progress = 1}};
  const std::uint64_t waiting[] = {9, 3};
  const auto victims = pressure.step_back(lane, waiting);
  BOOST_REQUIRE_EQUAL(victims.size(), 1u); // never the highest-ranked
  BOOST_TEST(victims[0].sequence == 9u);
}

BOOST_AUTO_TEST_SUITE_END()
