// SPDX-License-Identifier: Apache-2.0
// What a step brings to the device, and what it finds there.
#include "model/cuda/cuda_step.hpp"

#include "tests/kernels/cuda/device_array.hpp"
#include "tests/model/cuda/sequences.hpp"

#include <boost/test/unit_test.hpp>

using namespace sluice;
using namespace sluice::test;

namespace {

constexpr std::uint32_t context = 65536;
constexpr std::uint32_t entries = context / some_sequences::page_tokens;
constexpr std::uint32_t kept = 4;

struct step_fixture {
  cuda_step load(const std::vector<some_sequences::row>& rows) {
    const auto& batch = sequences.batch(rows);
    const auto loaded = input.load(
        batch, sizes_of(batch.positions(), context, 64), place, work);
    place = 1 - place;
    return loaded;
  }

  template <class T>
  std::vector<T> values(const T* there, std::size_t count) {
    std::vector<T> found(count);
    work.copy(found.data(), there, count * sizeof(T));
    work.wait();
    return found;
  }

  /// The pages that a row of the step would read.
  std::vector<page_id> table_of(const cuda_step& step, std::size_t row,
                                std::size_t pages) {
    const auto table = values(step.sequence_of, row + 1).back();
    return values(step.tables.pages + table * step.tables.stride, pages);
  }

  cuda::stream work;
  cuda_step_input::bounds bounds{.rows = 64,
                                 .tables = {kept, entries},
                                 .changes = 100,
                                 .tiling = {.head_dim = 64, .group = 4}};
  device_array<std::byte> memory{
      work, static_cast<std::size_t>(cuda_step_input::bytes_for(bounds))};
  cuda_step_input input{bounds, {memory.data(), memory.size()}};
  some_sequences sequences{context};
  std::uint32_t place = 0;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(cuda_step_test, step_fixture)

BOOST_AUTO_TEST_CASE(a_decode_sends_as_much_in_a_long_context_as_in_a_short) {
  auto& brief = sequences.add(4, 100, 2000);
  auto& lengthy = sequences.add(4, 60000, 62000);
  load({{lengthy, 60000}, {brief, 100}}); // its tables, in parts
  const auto sent_with = [&](lane_sequence& sequence) {
    return load({{sequence, sequence.length()}}).sent_bytes;
  };
  const auto sent = sent_with(brief);
  BOOST_TEST(sent == 28u);
  BOOST_TEST(sent_with(lengthy) == sent);
  sequences.replace(lengthy, 3875, {9});
  BOOST_TEST(sent_with(lengthy) == sent + sizeof(cuda::table_entry));
}

BOOST_AUTO_TEST_CASE(every_row_finds_the_pages_of_its_sequence) {
  std::vector<lane_sequence*> all;
  for (int i = 0; i < 6; ++i)
    all.push_back(&sequences.add(4, 40, 64));
  auto& lengthy = sequences.add(4, 5000, 5008); // more than goes up at once
  for (std::size_t first = 0; first < 6; first += 2) {
    auto& a = *all[first];
    auto& b = *all[first + 1];
    const auto step = load({{a, a.length(), {1, 2, 3}, 2},
                            {lengthy, lengthy.length()},
                            {b, b.length()}});
    BOOST_TEST(step.sizes.wanted == 3);
    BOOST_TEST(values(step.wanted, 3) == (std::vector<std::int32_t>{2, 3, 4}),
               boost::test_tools::per_element());
    const auto check = [&](std::size_t row, const lane_sequence& sequence) {
      const auto pages = sequence.pages().pages();
      BOOST_TEST(table_of(step, row, pages.size()) == pages,
                 boost::test_tools::per_element());
    };
    for (std::size_t row = 0; row < 3; ++row)
      check(row, a);
    check(3, lengthy);
    check(4, b);
  }
}

BOOST_AUTO_TEST_CASE(what_fills_up_a_rung_is_skipped) {
  auto& a = sequences.add(4, 40, 64);
  auto& b = sequences.add(4, 40, 64);
  auto& c = sequences.add(4, 40, 64);
  const auto step = load({{a, 40}, {b, 40}, {c, 40}});
  BOOST_TEST(step.sizes.rows == 4);
  BOOST_TEST(values(step.positions, 4).back() == -1);
  BOOST_TEST(values(step.slots, 4).back() == -1);
  BOOST_TEST(values(step.sequence_of, 4).back() == 0);
}

BOOST_AUTO_TEST_SUITE_END()
