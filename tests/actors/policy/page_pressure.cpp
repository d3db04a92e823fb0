// SPDX-License-Identifier: Apache-2.0
#include "actors/policy/page_pressure.hpp"

#include <boost/test/unit_test.hpp>

#include <numeric>

using namespace std::chrono_literals;
using namespace sluice::policy;

namespace {

constexpr preemption_rules rules{.page_tokens = 8, .least_progress = 8};

/// Sequences 1 .. count, each with `positions` planned and done.
lane_schedule lane_of(std::uint32_t count, std::uint32_t positions) {
  lane_schedule lane{
      {.context_tokens = 256, .step_tokens = 256, .page_tokens = 8}};
  for (std::uint64_t key = 1; key <= count; ++key) {
    std::vector<std::uint32_t> prompt(positions);
    std::iota(prompt.begin(), prompt.end(), 100u);
    lane.join({.key = key, .prompt = prompt, .max_tokens = 50});
  }
  lane.wishes();
  for (std::uint64_t key = 1; key <= count; ++key)
    lane.enter(key, 0);
  auto draft = lane.draft();
  BOOST_REQUIRE(draft && lane.confirm(*draft, {}));
  lane.result(draft->number);
  for (std::uint64_t key = 1; key <= count; ++key)
    lane.append(key, 7);
  return lane;
}

std::vector<std::uint64_t> rows_of(lane_schedule& lane) {
  std::vector<std::uint64_t> keys;
  if (const auto draft = lane.draft())
    for (const auto& row : draft->rows)
      keys.push_back(row.sequence);
  return keys;
}

using keys = std::vector<std::uint64_t>;

} // namespace

BOOST_AUTO_TEST_SUITE(page_pressure_policy)

BOOST_AUTO_TEST_CASE(who_gives_way_has_no_rows_until_it_is_back) {
  auto lane = lane_of(3, 16);
  page_pressure pressure{rules};
  pressure.pool_has({.available = 0, .anybody_waits = true});
  const auto victims = pressure.relieve(lane, 1);
  BOOST_REQUIRE_EQUAL(victims.size(), 1u);
  BOOST_TEST(victims[0].sequence == 3u);
  BOOST_TEST(rows_of(lane) == (keys{1, 2}), boost::test_tools::per_element());
  BOOST_TEST(lane.outside() == 1u);
  lane.ask_again(3);
  BOOST_REQUIRE_EQUAL(lane.wishes().size(), 1u);
  lane.enter(3, 8);
  const auto draft = lane.draft();
  BOOST_REQUIRE_EQUAL(draft->rows.size(), 3u);
  const auto& row = draft->rows[2]; // what it had generated goes in a chunk
  BOOST_TEST(row.start == 8u);
  BOOST_TEST(row.length() == 9u);
  BOOST_TEST(row.sampled);
  BOOST_TEST(row.joins);
}

BOOST_AUTO_TEST_CASE(nobody_comes_back_while_others_wait_or_room_is_scarce) {
  auto lane = lane_of(3, 16);
  page_pressure pressure{rules};
  lane.give_way(3, give_way::recompute);
  struct {
    pool_room room;
    std::size_t back;
  } table[] = {
      // Three pages, and one for each of three to grow by.
      {{.available = 6}, 1},
      {{.available = 5}, 0},
      {{.available = 6, .anybody_waits = true}, 0},
  };
  for (const auto& [room, back] : table) {
    pressure.pool_has(room);
    BOOST_TEST(pressure.returns(lane).size() == back);
  }
}

BOOST_AUTO_TEST_CASE(who_is_named_by_a_plan_does_not_come_back_yet) {
  auto lane = lane_of(2, 16);
  auto draft = lane.draft();
  lane.confirm(*draft, {});
  lane.give_way(2, give_way::swap);
  BOOST_TEST(lane.seekers().empty());
  lane.result(draft->number);
  lane.append(2, 9);
  BOOST_REQUIRE_EQUAL(lane.seekers().size(), 1u);
  BOOST_TEST(lane.seekers()[0].pages == 3u);
  lane.come_back(2);
  const auto next = lane.draft();
  BOOST_TEST(next->rows.back().start == 17u); // its KV was kept
}

BOOST_AUTO_TEST_CASE(those_that_wait_step_back_but_for_the_first) {
  auto lane = lane_of(3, 16);
  page_pressure pressure{rules};
  const std::uint64_t waiting[] = {1, 3};
  const auto victims = pressure.step_back(lane, waiting);
  BOOST_REQUIRE_EQUAL(victims.size(), 1u);
  BOOST_TEST(victims[0].sequence == 3u);
  BOOST_TEST(pressure.step_back(lane, std::span{waiting, 1}).empty());
}

BOOST_AUTO_TEST_CASE(the_cost_of_swapping_is_learned) {
  auto priced = rules;
  priced.swap_bytes_per_second = 4e9;
  page_pressure pressure{priced};
  for (int i = 0; i < 50; ++i)
    pressure.moved(1'000'000, 1ms);
  BOOST_TEST(pressure.rules().swap_bytes_per_second == 1e9,
             boost::test_tools::tolerance(0.01));
  page_pressure none{rules};
  none.moved(1'000'000, 1ms);
  BOOST_TEST(none.rules().swap_bytes_per_second == 0.0);
}

BOOST_AUTO_TEST_CASE(siblings_enter_when_the_prompt_is_done_or_its_owner_gone) {
  for (const bool gone : {false, true}) {
    lane_schedule lane{
        {.context_tokens = 64, .step_tokens = 8, .page_tokens = 8}};
    const std::vector<std::uint32_t> prompt(12, 5);
    lane.join({.key = 1, .prompt = prompt, .max_tokens = 4});
    lane.join({.key = 2, .prompt = prompt, .max_tokens = 4, .parent = 1});
    BOOST_REQUIRE_EQUAL(lane.wishes().size(), 1u);
    lane.enter(1, 0);
    auto draft = lane.draft();
    lane.confirm(*draft, {});
    lane.result(draft->number);
    BOOST_TEST(lane.wishes().empty());
    if (gone) {
      lane.end(1);
    } else {
      draft = lane.draft();
      lane.confirm(*draft, {});
      lane.result(draft->number);
    }
    const auto wishes = lane.wishes();
    BOOST_REQUIRE_EQUAL(wishes.size(), 1u);
    BOOST_TEST(wishes[0].sequence == 2u);
    BOOST_TEST(wishes[0].parent == 1u);
    BOOST_TEST(wishes[0].most_cached == 11u);
  }
}

BOOST_AUTO_TEST_CASE(higher_priorities_come_first_in_a_step) {
  lane_schedule lane{
      {.context_tokens = 64, .step_tokens = 64, .page_tokens = 8}};
  for (const auto& [key, priority] : {std::pair{1, 0}, {2, 5}, {3, 0}})
    lane.join({.key = static_cast<std::uint64_t>(key),
               .prompt = {1, 2, 3},
               .max_tokens = 4,
               .priority = priority});
  lane.wishes();
  for (const std::uint64_t key : {1, 2, 3})
    lane.enter(key, 0);
  BOOST_TEST(rows_of(lane) == (keys{2, 1, 3}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
