// SPDX-License-Identifier: Apache-2.0
// Page tables stay on the device: what goes up is what has changed.
#include "model/cuda/cuda_tables.hpp"

#include "kernels/check.hpp"
#include "tests/kernels/cuda/device_array.hpp"
#include "tests/model/cuda/sequences.hpp"
#include "tests/model/engine/allocation_count.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <random>

using namespace sluice;
using namespace sluice::test;

namespace {

constexpr std::uint32_t context = 512;
constexpr std::uint32_t entries = context / some_sequences::page_tokens;
constexpr std::uint32_t kept = 3;

struct tables_fixture {
  /// Plans a step of sequences that go on, and writes what has changed.
  std::size_t step(const std::vector<lane_sequence*>& all) {
    std::vector<some_sequences::row> rows;
    for (auto* each : all)
      rows.push_back({*each, each->length()});
    tables.plan(sequences.batch(rows));
    const device_array<cuda::table_entry> list{work, tables.changes()};
    tables.write(list.data(), list.size(), work);
    check(all);
    return tables.changes().size();
  }

  void check(const std::vector<lane_sequence*>& all) {
    const auto there = memory.values();
    for (std::size_t i = 0; i < all.size(); ++i) {
      const auto wanted = all[i]->pages().pages();
      const auto table = static_cast<std::size_t>(tables.places()[i]);
      const std::vector<page_id> found(
          there.begin() + static_cast<std::ptrdiff_t>(table * entries),
          there.begin() +
              static_cast<std::ptrdiff_t>(table * entries + wanted.size()));
      BOOST_TEST(found == wanted, boost::test_tools::per_element());
    }
  }

  cuda::stream work;
  device_array<std::uint32_t> memory{work, std::size_t{kept * entries}};
  cuda_tables tables{{.tables = kept, .entries = entries}, memory.bytes()};
  some_sequences sequences{context};
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(cuda_tables_test, tables_fixture)

BOOST_AUTO_TEST_CASE(a_step_sends_what_has_changed) {
  auto& a = sequences.add(10, 100, 200);
  auto& b = sequences.add(10, 30, 40);
  BOOST_TEST(step({&a, &b}) == 13u + 3u);
  BOOST_TEST(step({&b, &a}) == 0u);
  sequences.replace(a, 13, {7001, 7002}); // grows
  BOOST_TEST(step({&a, &b}) == 2u);
  sequences.replace(a, 9, {8001}); // shrinks, from the middle on
  sequences.replace(b, 3, {8002});
  BOOST_TEST(step({&a}) == 1u);
  BOOST_TEST(step({&a, &b}) == 1u);
  sequences.replace(a, 10, {}); // nothing has changed
  BOOST_TEST(step({&a, &b}) == 0u);
}

BOOST_AUTO_TEST_CASE(whose_table_is_gone_sends_it_again) {
  auto& a = sequences.add(10, 100, 112);
  auto& b = sequences.add(10, 30, 48);
  auto& c = sequences.add(10, 30, 48);
  auto& d = sequences.add(10, 30, 48);
  BOOST_TEST(step({&a, &b, &c}) == 7u + 3u + 3u);
  BOOST_TEST(step({&d, &c}) == 3u); // takes a's
  BOOST_TEST(step({&b}) == 0u);
  BOOST_TEST(step({&a, &c}) == 7u); // takes d's
  BOOST_CHECK_THROW(step({&a, &b, &c, &d}), contract_violation);
}

BOOST_AUTO_TEST_CASE(after_a_failure_all_is_sent_again) {
  auto& a = sequences.add(10, 100, 112);
  BOOST_TEST(step({&a}) == 7u);
  tables.forget();
  BOOST_TEST(step({&a}) == 7u);
}

BOOST_AUTO_TEST_CASE(a_table_that_is_too_long_is_cut_off) {
  auto& a = sequences.add(10, 100, context + 64);
  tables.plan(sequences.batch({{a, 100}}));
  BOOST_TEST(tables.changes().size() == entries);
}

BOOST_AUTO_TEST_CASE(planning_allocates_nothing) {
  auto& a = sequences.add(10, 100, 112);
  auto& b = sequences.add(10, 100, 112);
  const auto& batch = sequences.batch({{a, 100}, {b, 100}});
  const allocation_count here;
  tables.plan(batch);
  BOOST_TEST(here.count() == 0u);
  BOOST_TEST(tables.changes().size() == 14u);
}

BOOST_AUTO_TEST_CASE(tables_are_right_whatever_happens) {
  std::mt19937 random{3};
  std::vector<lane_sequence*> all;
  for (int i = 0; i < 7; ++i)
    all.push_back(&sequences.add(10, 20, 80));
  std::uint32_t page = 500'000;
  for (int round = 0; round < 200; ++round) {
    std::shuffle(all.begin(), all.end(), random);
    for (auto* each : {all[0], all[4]}) {
      const auto least = each->length() / some_sequences::page_tokens + 1;
      const auto pages =
          static_cast<std::uint32_t>(each->pages().pages().size());
      const auto first = least + random() % (pages - least + 1);
      if (pages < entries - 3 || first < pages)
        sequences.replace(*each, static_cast<std::uint32_t>(first),
                          {++page, ++page, ++page});
    }
    step({all.begin(), all.begin() + 1 + random() % kept});
  }
}

BOOST_AUTO_TEST_SUITE_END()
