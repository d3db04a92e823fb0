// SPDX-License-Identifier: Apache-2.0
#include "kernels/check.hpp"
#include "tests/kernels/cuda/attention_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace sluice::test {

namespace {

using row = kv_fixture::row;
using kernels = attention_call::kernels;

const attention_shape shapes[] = {
    {2, 1, 32, 0},  {1, 4, 64, 0},   {1, 8, 128, 0}, {1, 3, 96, 0},
    {1, 2, 256, 0}, {1, 20, 32, 0},  {1, 2, 64, 1},  {1, 2, 64, 70},
    {1, 4, 32, 33}, {1, 1, 128, 300}};

std::vector<row> concat(std::vector<row> a, const std::vector<row>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

// A prompt chunk of one sequence, decodes of two others.
std::vector<row> mixed_step() {
  return concat(concat(kv_fixture::range(1, 49, 70), {{0, 0}}), {{2, 299}});
}

std::string what(const attention_shape& shape, dtype type) {
  return std::string{name(type)} + " kv_heads " +
         std::to_string(shape.kv_heads) + " group " +
         std::to_string(shape.group) + " head_dim " +
         std::to_string(shape.head_dim) + " window " +
         std::to_string(shape.window);
}

// Weights are rounded to the type of the products, f16 for bytes: by 2^-8
// (bf16) or 2^-11 of themselves at most, which is no more of the largest |v|.
// The result is rounded to `out` once more. The f32 sums and exponentials are
// far below.
double rounding(dtype type) {
  return type == dtype::bf16 ? 0x1p-8 : 0x1p-11;
}
double tolerance(dtype cache, dtype out) {
  return rounding(cache) +
         (out == dtype::i8        ? 1.0 / 254
          : out == dtype::f8_e4m3 ? 0x1p-4
                                  : rounding(out)) +
         1e-5;
}

bool same(const std::vector<std::byte>& a, const std::vector<std::byte>& b) {
  return a == b;
}

// Row i of a result in 2 bytes an element.
std::vector<std::byte> row_at(const std::vector<std::byte>& all, std::size_t i,
                              const attention_fixture& kv) {
  const auto bytes = static_cast<std::size_t>(kv.width()) * 2;
  return {all.data() + i * bytes, all.data() + (i + 1) * bytes};
}

} // namespace

BOOST_AUTO_TEST_SUITE(cuda_attention)

BOOST_AUTO_TEST_CASE(agrees_with_the_oracle) {
  for (const dtype type :
       {dtype::f16, dtype::bf16, dtype::i8, dtype::f8_e4m3}) {
    double worst = 0;
    for (const auto& shape : shapes) {
      attention_fixture kv(shape, type, 16, {1, 70, 300});
      const auto expected = kv.expected(mixed_step());
      for (const auto use : {kernels::decode, kernels::prompt}) {
        const dtype out = use == kernels::decode ? dtype::f16 : dtype::bf16;
        const double off = relative_difference(
            kv.attend(mixed_step(), {.use = use, .out = out}), expected);
        BOOST_TEST(off <= tolerance(type, out), what(shape, type)
                                                    << ": " << off);
        worst = std::fmax(worst, off / tolerance(type, out));
      }
    }
    BOOST_TEST_MESSAGE("paged_attention " << name(type) << ": at most " << worst
                                          << " of the tolerance");
  }
}

BOOST_AUTO_TEST_CASE(a_row_is_the_same_from_both_kernels) {
  for (const dtype type : {dtype::f16, dtype::bf16, dtype::i8, dtype::f8_e4m3})
    for (const auto& shape : shapes) {
      attention_fixture kv(shape, type, 16, {1, 70, 300});
      const auto decoded = kv.bytes(mixed_step(), {.use = kernels::decode});
      BOOST_TEST(
          same(kv.bytes(mixed_step(), {.use = kernels::prompt}), decoded),
          what(shape, type));
      BOOST_TEST(
          same(kv.bytes(mixed_step(), {.use = kernels::planned}), decoded),
          what(shape, type));
    }
}

BOOST_AUTO_TEST_CASE(rows_around_blocks_and_spans_stand_alone) {
  std::vector<row> rows;
  for (const std::int32_t first : {60, 126, 250, 508})
    rows = concat(rows, kv_fixture::range(0, first, first + 8));
  for (const std::int64_t window : {0, 8, 250, 257})
    for (const dtype type : {dtype::bf16, dtype::i8, dtype::f8_e4m3}) {
      const attention_shape shape{1, 2, 32, window};
      attention_fixture kv(shape, type, 16, {520});
      const auto together = kv.bytes(rows, {.use = kernels::prompt});
      BOOST_TEST(relative_difference(kv.attend(rows, {.use = kernels::prompt}),
                                     kv.expected(rows)) <=
                     tolerance(type, dtype::bf16),
                 what(shape, type));
      for (std::size_t r = 0; r < rows.size(); r += 3)
        BOOST_TEST(same(kv.bytes({rows[r]}, {.use = kernels::decode}),
                        row_at(together, r, kv)),
                   what(shape, type) << " position " << rows[r].position);
    }
}

BOOST_AUTO_TEST_CASE(chunks_equal_the_whole_prompt) {
  for (const auto& shape :
       {attention_shape{1, 4, 64, 0}, attention_shape{1, 3, 32, 40}})
    for (const dtype type : {dtype::f16, dtype::i8, dtype::f8_e4m3}) {
      attention_fixture kv(shape, type, 16, {150});
      const auto whole = kv.bytes(kv_fixture::range(0, 0, 150));
      for (const std::int32_t chunk : {7, 40, 64}) {
        std::vector<std::byte> pieces;
        for (std::int32_t first = 0; first < 150; first += chunk) {
          const auto piece = kv.bytes(
              kv_fixture::range(0, first, std::min(first + chunk, 150)));
          pieces.insert(pieces.end(), piece.begin(), piece.end());
        }
        BOOST_TEST(same(pieces, whole), what(shape, type)
                                            << " chunk " << chunk);
      }
    }
}

BOOST_AUTO_TEST_CASE(page_size_longest_and_workspace_change_nothing) {
  const attention_shape shape{2, 4, 64, 0};
  const std::vector<std::int64_t> lengths = {1, 70, 300};
  for (const dtype type : {dtype::bf16, dtype::i8, dtype::f8_e4m3}) {
    attention_fixture first(shape, type, 8, lengths);
    const auto expected = first.bytes(mixed_step());
    for (const std::int64_t page_tokens : {16, 32, 64, 128}) {
      attention_fixture kv(shape, type, page_tokens, lengths);
      BOOST_TEST(same(kv.bytes(mixed_step()), expected),
                 name(type) << " pages of " << page_tokens);
    }
    for (const auto use : {kernels::planned, kernels::decode}) {
      BOOST_TEST(same(first.bytes(mixed_step(), {.use = use, .longest = 1500}),
                      expected));
      BOOST_TEST(same(
          first.bytes(mixed_step(), {.use = use, .little_workspace = true}),
          expected));
    }
  }
}

BOOST_AUTO_TEST_CASE(other_sequences_and_row_order_change_nothing) {
  const attention_shape shape{1, 2, 32, 0};
  attention_fixture alone(shape, dtype::f16, 16, {90});
  attention_fixture among(shape, dtype::f16, 16, {90, 33, 200});
  const auto expected = alone.bytes({{0, 89}});
  auto rows = concat(kv_fixture::range(1, 0, 33), {{0, 89}});
  rows = concat(rows, kv_fixture::range(2, 150, 200));
  BOOST_TEST(same(row_at(among.bytes(rows), 33, among), expected));
  const auto scattered = among.bytes({{2, 5}, {0, 89}, {2, 6}, {0, 3}});
  BOOST_TEST(same(row_at(scattered, 1, among), expected));
}

BOOST_AUTO_TEST_CASE(skipped_rows_are_skipped) {
  const attention_shape shape{1, 2, 32, 0};
  attention_fixture kv(shape, dtype::bf16, 16, {90, 40});
  const auto expected = kv.bytes(kv_fixture::range(0, 60, 90));
  auto rows = concat(kv_fixture::range(0, 60, 90), {{0, -1}, {1, 3}, {1, -1}});
  rows[4].position = -1;
  rows[29].position = -1;
  for (const auto use : {kernels::decode, kernels::planned, kernels::prompt}) {
    const auto some = kv.bytes(rows, {.use = use, .longest = 90});
    for (std::size_t i = 0; i < 30; ++i)
      BOOST_TEST((same(row_at(some, i, kv), row_at(expected, i, kv)) ||
                  i == 4 || i == 29));
    const auto untouched = row_at(some, 4, kv);
    BOOST_TEST(std::all_of(untouched.begin(), untouched.end(),
                           [](std::byte b) { return b == std::byte{0xff}; }));
  }
}

BOOST_AUTO_TEST_CASE(bytes_leave_with_a_scale_a_row) {
  const attention_shape shape{1, 4, 64, 0};
  for (const dtype type : {dtype::bf16, dtype::i8, dtype::f8_e4m3})
    for (const dtype out : {dtype::i8, dtype::f8_e4m3}) {
      attention_fixture kv(shape, type, 16, {1, 70, 300});
      const auto decoded =
          kv.bytes(mixed_step(), {.use = kernels::decode, .out = out});
      BOOST_TEST(same(kv.bytes(mixed_step(), {.out = out}), decoded));
      BOOST_TEST(relative_difference(kv.attend(mixed_step(), {.out = out}),
                                     kv.expected(mixed_step())) <=
                 tolerance(type, out));
    }
}

BOOST_AUTO_TEST_CASE(a_poisoned_head_reaches_all_that_read_it_and_no_other) {
  attention_fixture kv({1, 1, 64, 0}, dtype::i8, 16, {100, 60});
  kv_view cache = kv.kv().cache();
  const auto rows = concat(kv_fixture::range(0, 40, 60), {{1, 59}});
  for (float* scales : {cache.k_scales, cache.v_scales}) {
    const std::int64_t slot = kv.kv().slot(0, 50);
    const float kept = scales[slot];
    scales[slot] = std::numeric_limits<float>::quiet_NaN();
    for (const auto use : {kernels::decode, kernels::prompt}) {
      const auto out = kv.attend(rows, {.use = use});
      for (std::size_t i = 0; i < out.size(); ++i) {
        const bool reads = i / 64 >= 10 && i / 64 < 20;
        BOOST_TEST(std::isnan(out[i]) == reads, "row " << i / 64);
      }
    }
    scales[slot] = kept;
  }
}

BOOST_AUTO_TEST_CASE(slopes_favour_what_is_near) {
  // One head with a steep slope sees its own value alone, one without slope
  // all of them.
  const attention_shape shape{1, 2, 32, 0};
  attention_fixture kv(shape, dtype::f16, 16, {300});
  attention_fixture own({1, 2, 32, 1}, dtype::f16, 16, {300});
  const std::vector<row> one = {{0, 299}};
  const auto plain = kv.attend(one);
  const auto last = own.attend(one);
  for (const auto use : {kernels::decode, kernels::prompt}) {
    const auto leaning = kv.attend(one, {.use = use, .slopes = {0, 1000}});
    BOOST_TEST(same_bytes({leaning.begin(), leaning.begin() + 32},
                          {plain.begin(), plain.begin() + 32}));
    BOOST_TEST(same_bytes({leaning.begin() + 32, leaning.end()},
                          {last.begin() + 32, last.end()}));
  }
}

BOOST_AUTO_TEST_CASE(other_head_dims_are_refused) {
  attention_fixture kv({1, 1, 80, 0}, dtype::f16, 16, {4});
  BOOST_CHECK_THROW(kv.attend({{0, 3}}), contract_violation);
  BOOST_CHECK_THROW(cuda::attention_workspace_bytes(-1, 0, 1, 64, 1),
                    contract_violation);
}

BOOST_AUTO_TEST_CASE(plans_cut_runs_into_tiles_and_leave_the_rest) {
  // 300 rows of a prompt, a decode, a short run, rows of nobody.
  std::vector<std::int32_t> sequences(300, 5);
  std::vector<std::int32_t> positions(300);
  for (std::int32_t i = 0; i < 300; ++i)
    positions[static_cast<std::size_t>(i)] = 1000 + i;
  for (const std::int32_t sequence : {1, 2, 2, 3})
    sequences.push_back(sequence);
  for (const std::int32_t position : {7, 8, 9, -1})
    positions.push_back(position);
  const auto plan =
      cuda::plan_attention(sequences, positions, {.head_dim = 128, .group = 1});
  BOOST_TEST(plan.tiles.size() == 3u);
  BOOST_TEST(plan.tiles[0].row == 256); // the longest context first
  BOOST_TEST(plan.tiles[0].count == 44);
  BOOST_TEST(plan.tiles[2].row == 0);
  BOOST_TEST(plan.tiles[2].count == 128);
  BOOST_TEST(plan.single_rows == (std::vector<std::int32_t>{300, 301, 302}),
             boost::test_tools::per_element());
  BOOST_TEST(cuda::tile_rows({.head_dim = 128, .group = 7}) == 18);
  BOOST_TEST(cuda::tile_rows({.head_dim = 256, .group = 8}) == 8);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace sluice::test
