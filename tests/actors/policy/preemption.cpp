// SPDX-License-Identifier: Apache-2.0
#include "actors/policy/preemption.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <map>
#include <random>

using namespace std::chrono_literals;
using namespace sluice::policy;

namespace {

// A position costs 1 ms to compute again, a page 2 ms to copy out and in.
const cost_model plain{{.step = 5e-3,
                        .row = 1e-3,
                        .more_rows = 0,
                        .sample = 0,
                        .kv_read = 0,
                        .kv_score = 0}};

preemption_rules rules_of(std::uint32_t swap_pages = 0) {
  return {.page_tokens = 16,
          .page_bytes = 1'000'000,
          .swap_bytes_per_second = swap_pages > 0 ? 1e9 : 0,
          .swap_pages = swap_pages,
          .least_progress = 32};
}

page_holder holding(std::uint64_t sequence, std::uint32_t pages) {
  return {.sequence = sequence,
          .admitted = sequence,
          .pages = pages,
          .context_tokens = pages * 16,
          .progress = 100};
}

std::vector<std::uint64_t> names_of(const std::vector<victim>& victims) {
  std::vector<std::uint64_t> names;
  for (const auto& each : victims)
    names.push_back(each.sequence);
  return names;
}

} // namespace

BOOST_AUTO_TEST_SUITE(preemption_policy)

BOOST_AUTO_TEST_CASE(the_lowest_ranked_give_way_and_never_all) {
  struct row {
    const char* what;
    std::vector<page_holder> holders;
    std::uint32_t missing;
    std::vector<std::uint64_t> expected;
  };
  auto urgent = holding(3, 4);
  urgent.priority = 1;
  auto fresh = holding(3, 4);
  fresh.progress = 31;
  auto flying = holding(3, 4);
  flying.movable = false;
  const row table[] = {
      {"nobody holds pages", {}, 4, {}},
      {"nothing is missing", {holding(1, 4), holding(2, 4)}, 0, {}},
      {"one alone stays", {holding(1, 4)}, 4, {}},
      {"the latest first",
       {holding(1, 4), holding(3, 4), holding(2, 4)},
       4,
       {3}},
      {"as many as it takes",
       {holding(1, 4), holding(3, 4), holding(2, 4)},
       5,
       {3, 2}},
      {"all but the first", {holding(1, 4), holding(2, 4)}, 99, {2}},
      {"priority before arrival",
       {holding(1, 4), holding(2, 4), urgent},
       8,
       {2, 1}},
      {"who only just came back is last",
       {holding(1, 4), holding(2, 4), fresh},
       4,
       {2}},
      {"but gives way if it must",
       {holding(1, 4), holding(2, 4), fresh},
       8,
       {2, 3}},
      {"what a plan names stays",
       {holding(1, 4), holding(2, 4), flying},
       4,
       {2}},
      {"who frees nothing is not asked",
       {holding(1, 4), holding(2, 4), holding(3, 0)},
       4,
       {2}},
  };
  for (const auto& [what, holders, missing, expected] : table)
    BOOST_TEST_CONTEXT(what)
  BOOST_TEST(names_of(choose_victims(holders, missing, rules_of(), plain)) ==
                 expected,
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(swaps_where_copying_is_cheaper) {
  struct row {
    const char* what;
    std::uint32_t pages, cached, swap_pages;
    give_way expected;
  };
  const row table[] = {
      {"no swap", 10, 0, 0, give_way::recompute},
      {"16 ms a page against 2", 10, 0, 10, give_way::swap},
      {"host memory is full", 10, 0, 9, give_way::recompute},
      {"the cache keeps nearly all", 10, 145, 10, give_way::recompute},
      {"the cache keeps half", 10, 80, 10, give_way::swap},
  };
  for (const auto& [what, pages, cached, swap_pages, expected] : table) {
    auto asked = holding(2, pages);
    asked.cached_tokens = cached;
    const page_holder holders[] = {holding(1, 1), asked};
    const auto got = choose_victims(holders, 1, rules_of(swap_pages), plain);
    BOOST_TEST_CONTEXT(what) {
      BOOST_REQUIRE_EQUAL(got.size(), 1u);
      BOOST_TEST((got[0].how == expected));
    }
  }
  BOOST_TEST((recompute_time(holding(1, 2), plain) == 32ms));
  BOOST_TEST((swap_time(holding(1, 2), rules_of(9)) == 4ms));
  BOOST_CHECK_THROW(swap_time(holding(1, 2), rules_of()), std::logic_error);
}

BOOST_AUTO_TEST_CASE(several_share_the_room_for_swap) {
  const page_holder holders[] = {holding(1, 4), holding(2, 4), holding(3, 4)};
  const auto got = choose_victims(holders, 8, rules_of(6), plain);
  BOOST_REQUIRE_EQUAL(got.size(), 2u);
  BOOST_TEST((got[0].how == give_way::swap));
  BOOST_TEST((got[1].how == give_way::recompute));
}

BOOST_AUTO_TEST_CASE(sequences_come_back_with_room_to_make_progress) {
  struct row {
    const char* what;
    std::vector<page_seeker> seekers;
    std::uint32_t free_pages, running;
    std::vector<std::uint64_t> expected;
  };
  const page_seeker one{.sequence = 1, .admitted = 1, .pages = 10};
  const page_seeker two{.sequence = 2, .admitted = 2, .pages = 1};
  const row table[] = {
      {"nobody seeks", {}, 100, 3, {}},
      {"an empty lane takes the first as it is", {one}, 10, 0, {1}},
      {"2 pages each for it and the running", {one}, 18, 3, {1}},
      {"one page short", {one}, 17, 3, {}},
      {"small ones do not pass the first", {two, one}, 12, 3, {}},
      {"both", {two, one}, 21, 3, {1, 2}},
  };
  for (const auto& [what, seekers, free_pages, running, expected] : table)
    BOOST_TEST_CONTEXT(what)
  BOOST_TEST(choose_returns(seekers, free_pages, running, rules_of()) ==
                 expected,
             boost::test_tools::per_element());
}

// 12 sequences that come to need 20 pages each on a lane of 100: under
// constant shortage everybody comes to an end, and what is generated is many
// times what is thrown away.
BOOST_AUTO_TEST_CASE(an_overloaded_lane_does_not_thrash) {
  constexpr std::uint32_t pool = 100;
  constexpr std::uint32_t prompt = 40;
  constexpr std::uint32_t most = 320;
  struct state {
    std::uint32_t tokens = prompt;
    std::uint32_t progress = 0;
    bool running = false;
    std::uint32_t pages() const { return (tokens + 15) / 16; }
  };
  std::map<std::uint64_t, state> all;
  std::uint64_t next = 0;
  std::uint32_t generated = 0;
  std::uint32_t preempted = 0;
  std::uint32_t finished = 0;
  const auto rules = rules_of();
  const auto used = [&] {
    std::uint32_t pages = 0;
    for (const auto& [name, s] : all)
      pages += s.running ? s.pages() : 0;
    return pages;
  };
  for (int step = 0; step < 20'000; ++step) {
    while (all.size() < 12)
      all[next++] = {};
    std::vector<page_seeker> seekers;
    std::uint32_t running = 0;
    for (const auto& [name, s] : all) {
      running += s.running;
      if (!s.running)
        seekers.push_back(
            {.sequence = name, .admitted = name, .pages = s.pages() + 1});
    }
    for (const auto name :
         choose_returns(seekers, pool - used(), running, rules)) {
      all[name].running = true;
      all[name].progress = 0;
    }
    std::uint32_t missing = 0; // one token each
    for (const auto& [name, s] : all)
      missing += s.running && s.tokens % 16 == 0;
    missing -= std::min(missing, pool - used());
    std::vector<page_holder> holders;
    for (const auto& [name, s] : all)
      if (s.running)
        holders.push_back({.sequence = name,
                           .admitted = name,
                           .pages = s.pages(),
                           .context_tokens = s.tokens,
                           .progress = s.progress});
    for (const auto& each : choose_victims(holders, missing, rules, plain)) {
      all[each.sequence].running = false;
      ++preempted;
    }
    for (auto i = all.begin(); i != all.end();) {
      auto& s = i->second;
      if (s.running) {
        ++s.tokens;
        ++s.progress;
        ++generated;
      }
      const bool done = s.tokens >= most;
      finished += done;
      i = done ? all.erase(i) : std::next(i);
    }
    BOOST_REQUIRE(used() <= pool);
  }
  BOOST_TEST(finished > 200u);
  BOOST_TEST(generated > 60'000u);
  // Each that comes back makes its progress first: at the very most one
  // preemption in 32 tokens.
  BOOST_TEST(preempted * 32 < generated);
  BOOST_TEST_MESSAGE(preempted << " preemptions, " << generated << " tokens");
}

BOOST_AUTO_TEST_SUITE_END()
