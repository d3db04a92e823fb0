// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/step_state.hpp"

#include "kernels/check.hpp"
#include "tests/kernels/cuda/row_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <vector>

using namespace sluice;
using namespace sluice::test;

namespace {

using ints = std::vector<std::int32_t>;
using pages = std::vector<std::uint32_t>;

struct step_fixture {
  cuda::stream work;

  /// Writes entries to tables, all of whose pages are 7.
  pages written(const std::vector<cuda::table_entry>& entries,
                std::uint32_t tables, std::uint32_t stride) {
    const device_array<std::uint32_t> all{work, pages(tables * stride, 7)};
    const device_array<cuda::table_entry> list{work, entries};
    cuda::write_table_entries({.pages = all.data(),
                               .tables = tables,
                               .stride = stride,
                               .entries = list.data(),
                               .count = std::ssize(entries)},
                              work);
    return all.values();
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(cuda_step_state, step_fixture)

BOOST_AUTO_TEST_CASE(entries_change_the_tables_they_name) {
  BOOST_TEST(written({{0, 0, 90}, {2, 1, 91}, {1, 2, 92}}, 3, 3) ==
                 (pages{90, 7, 7, 7, 7, 92, 7, 91, 7}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(entries_outside_the_tables_are_skipped) {
  BOOST_TEST(written({{2, 0, 90}, {0, 3, 91}, {~0u, ~0u, 92}}, 2, 3) ==
                 pages(6, 7),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(there_may_be_more_entries_than_a_block_takes) {
  std::vector<cuda::table_entry> entries;
  for (std::uint32_t i = 0; i < 300; ++i)
    entries.push_back({i % 2, i / 2, i});
  pages wanted;
  for (const std::uint32_t table : {0u, 1u})
    for (std::uint32_t entry = 0; entry < 150; ++entry)
      wanted.push_back(2 * entry + table);
  BOOST_TEST(written(entries, 2, 150) == wanted,
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(tokens_come_from_an_earlier_steps_rows) {
  std::vector<cuda::choice> earlier(3);
  earlier[0].token = 40;
  earlier[2].token = 42;
  const device_array<cuda::choice> chosen{work, earlier};
  const device_array<std::int32_t> from{work, ints{2, 0, 1, 3, 2, 0}};
  const device_array<std::int32_t> at{work, ints{0, 3, 2, 1, -1, 4}};
  const device_array<std::int32_t> ids{work, ints{1, 1, 1, 1}};
  cuda::take_tokens(
      {chosen.data(), 3, from.data(), at.data(), ids.data(), 4, 6}, work);
  BOOST_TEST(ids.values() == (ints{42, -1, -1, 40}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(mistakes_are_refused) {
  const device_array<std::uint32_t> all{work, pages(6, 7)};
  const device_array<cuda::table_entry> list{work, std::size_t{1}};
  const cuda::table_args good{
      .pages = all.data(), .tables = 2, .stride = 3, .entries = list.data()};
  const auto refused = [&](auto change) {
    auto bad = good;
    bad.count = 1;
    change(bad);
    BOOST_CHECK_THROW(cuda::write_table_entries(bad, work), contract_violation);
  };
  refused([](auto& bad) { bad.pages = nullptr; });
  refused([](auto& bad) { bad.tables = 0; });
  refused([](auto& bad) { bad.stride = 0; });
  refused([](auto& bad) { bad.entries = nullptr; });
  refused([](auto& bad) { bad.count = -1; });
  BOOST_CHECK_THROW(cuda::take_tokens({.count = 1}, work), contract_violation);
}

BOOST_AUTO_TEST_SUITE_END()
