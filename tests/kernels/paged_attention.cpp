// SPDX-License-Identifier: Apache-2.0
#include "kernels/check.hpp"
#include "tests/kernels/kv_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace sluice::test {

namespace {

using row = kv_fixture::row;

const attention_shape shapes[] = {
    {2, 1, 32, 0},  {1, 2, 64, 0},  {2, 4, 80, 0},  {1, 8, 128, 0},
    {1, 2, 20, 0},  {1, 1, 256, 0}, {2, 2, 64, 1},  {2, 2, 64, 7},
    {1, 4, 32, 33}, {1, 2, 80, 64}, {1, 1, 32, 999}};

std::vector<row> concat(std::vector<row> a, const std::vector<row>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

// A prompt chunk of one sequence, decodes of two others.
std::vector<row> mixed_step() {
  return concat(concat(kv_fixture::range(1, 29, 70), {{0, 0}}), {{2, 99}});
}

} // namespace

BOOST_AUTO_TEST_SUITE(paged_attention)

BOOST_AUTO_TEST_CASE(agrees_with_the_oracle) {
  for (const path& p : paths()) {
    for (const dtype type :
         {dtype::f32, dtype::f16, dtype::bf16, dtype::i8, dtype::f8_e4m3}) {
      double worst = 0;
      for (const attention_shape& shape : shapes) {
        kv_fixture kv(shape, type, 16, {1, 70, 100});
        const double off =
            relative_difference(kv.attend(*p.ops, 2, mixed_step()),
                                kv.attend(oracle(), 1, mixed_step()));
        BOOST_TEST(off <= 2e-6,
                   p.name << " " << name(type) << " kv_heads=" << shape.kv_heads
                          << " group=" << shape.group
                          << " head_dim=" << shape.head_dim
                          << " window=" << shape.window << ": " << off);
        worst = std::fmax(worst, off);
      }
      BOOST_TEST_MESSAGE("paged_attention " << p.name << " " << name(type)
                                            << ": largest difference "
                                            << worst);
    }
  }
}

BOOST_AUTO_TEST_CASE(chunks_and_decodes_equal_the_whole_prompt) {
  for (const path& p : paths()) {
    for (const attention_shape& shape : shapes) {
      const dtype type = shape.head_dim > 80   ? dtype::i8
                         : shape.head_dim > 64 ? dtype::f8_e4m3
                                               : dtype::f16;
      kv_fixture kv(shape, type, 16, {100});
      const auto whole = kv.attend(*p.ops, 1, kv_fixture::range(0, 0, 100));
      for (const std::int32_t chunk : {1, 7, 32, 64}) {
        std::vector<float> pieces;
        for (std::int32_t first = 0; first < 100; first += chunk) {
          const auto end = std::min(first + chunk, 100);
          const auto piece =
              kv.attend(*p.ops, 1, kv_fixture::range(0, first, end));
          pieces.insert(pieces.end(), piece.begin(), piece.end());
        }
        BOOST_TEST(same_bytes(pieces, whole),
                   p.name << " chunk " << chunk << " head_dim "
                          << shape.head_dim << " window " << shape.window);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(page_size_and_threads_change_nothing) {
  for (const path& p : paths()) {
    const attention_shape shape{2, 4, 64, 0};
    const std::vector<std::int64_t> lengths = {1, 70, 100};
    kv_fixture first(shape, dtype::bf16, 8, lengths);
    const auto expected = first.attend(*p.ops, 1, mixed_step());
    for (const std::int64_t page_tokens : {8, 16, 32, 64, 128}) {
      kv_fixture kv(shape, dtype::bf16, page_tokens, lengths);
      for (const int threads : {1, 2, 3}) {
        BOOST_TEST(
            same_bytes(kv.attend(*p.ops, threads, mixed_step()), expected),
            p.name << " pages of " << page_tokens << ", " << threads
                   << " threads");
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(other_sequences_and_row_order_change_nothing) {
  for (const path& p : paths()) {
    const attention_shape shape{1, 2, 32, 0};
    kv_fixture alone(shape, dtype::f16, 16, {90});
    kv_fixture among(shape, dtype::f16, 16, {90, 33, 200});
    const auto expected = alone.attend(*p.ops, 1, {{0, 89}});
    auto rows = concat(kv_fixture::range(1, 0, 33), {{0, 89}});
    rows = concat(rows, kv_fixture::range(2, 150, 200));
    const auto out = among.attend(*p.ops, 2, rows);
    const auto start = out.begin() + 33 * 64;
    BOOST_TEST(same_bytes({start, start + 64}, expected), p.name);
    const auto scattered =
        among.attend(*p.ops, 2, {{2, 5}, {0, 89}, {2, 6}, {0, 3}});
    BOOST_TEST(
        same_bytes({scattered.begin() + 64, scattered.begin() + 128}, expected),
        p.name);
  }
}

BOOST_AUTO_TEST_CASE(a_tile_boundary_is_no_boundary) {
  // Contexts just below, at and above multiples of the 32-position tile.
  for (const path& p : paths()) {
    kv_fixture kv({1, 1, 64, 0}, dtype::f16, 16, {200});
    for (const std::int32_t position : {30, 31, 32, 33, 63, 64, 65, 199}) {
      const std::vector<row> one = {{0, position}};
      BOOST_TEST(relative_difference(kv.attend(*p.ops, 1, one),
                                     kv.attend(oracle(), 1, one)) < 2e-6,
                 p.name << " position " << position);
    }
  }
}

BOOST_AUTO_TEST_CASE(every_span_is_the_same_in_prompts_and_decodes) {
  // Around the borders of 512 positions, with windows that begin anywhere.
  std::vector<row> rows;
  for (const std::int32_t first : {505, 1020, 1590}) {
    rows = concat(rows, kv_fixture::range(0, first, first + 12));
  }
  for (const path& p : paths()) {
    for (const std::int64_t window : {0, 8, 500, 512, 513, 1100}) {
      kv_fixture kv({1, 2, 32, window}, dtype::f16, 16, {1602});
      const auto together = kv.attend(*p.ops, 1, rows);
      BOOST_TEST(relative_difference(together, kv.attend(oracle(), 1, rows)) <=
                     2e-6,
                 p.name << " window " << window);
      for (std::size_t r = 0; r < rows.size(); r += 5) {
        const auto start =
            together.begin() + static_cast<std::ptrdiff_t>(r) * 64;
        BOOST_TEST(
            same_bytes(kv.attend(*p.ops, 2, {rows[r]}), {start, start + 64}),
            p.name << " window " << window << " position " << rows[r].position);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(threads_share_spans_without_a_trace) {
  const std::vector<row> rows = {{0, 2999}, {1, 40}, {2, 1700}, {2, 1701}};
  for (const path& p : paths()) {
    for (const dtype type : {dtype::bf16, dtype::i8, dtype::f8_e4m3}) {
      const std::vector<std::int64_t> lengths = {3000, 41, 1702};
      kv_fixture small({2, 3, 48, 0}, type, 8, lengths);
      const auto expected = small.attend(*p.ops, 1, rows);
      kv_fixture large({2, 3, 48, 0}, type, 128, lengths);
      for (const int threads : {2, 3, 16}) {
        for (const auto lent :
             {kv_fixture::workspace::given, kv_fixture::workspace::none}) {
          BOOST_TEST(
              same_bytes(large.attend(*p.ops, threads, rows, lent), expected),
              p.name << " " << name(type) << " " << threads << " threads");
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_context_of_128k_positions) {
  constexpr std::int32_t last = 131071;
  for (const dtype type : {dtype::f16, dtype::i8, dtype::f8_e4m3}) {
    kv_fixture kv({1, 1, 16, 0}, type, 128, {last + 1});
    const auto expected = kv.attend(oracle(), 1, {{0, last}});
    for (const path& p : paths()) {
      const auto out = kv.attend(*p.ops, 1, {{0, last}});
      BOOST_TEST(relative_difference(out, expected) <= 2e-6,
                 p.name << " " << name(type));
      BOOST_TEST(same_bytes(kv.attend(*p.ops, 3, {{0, last}}), out),
                 p.name << " " << name(type));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_poisoned_head_reaches_all_that_read_it_and_no_other) {
  for (const path& p : paths()) {
    for (const dtype type : {dtype::i8, dtype::f8_e4m3}) {
      kv_fixture kv({1, 1, 64, 0}, type, 16, {100});
      kv_view cache = kv.cache();
      for (float* scales : {cache.k_scales, cache.v_scales}) {
        const std::int64_t slot = kv.slot(0, 50);
        const float kept = scales[slot];
        scales[slot] = std::numeric_limits<float>::quiet_NaN();
        const auto out = kv.attend(*p.ops, 1, kv_fixture::range(0, 40, 60));
        for (std::size_t i = 0; i < out.size(); ++i) {
          BOOST_TEST(std::isnan(out[i]) == (i / 64 >= 10),
                     p.name << " position " << 40 + i / 64);
        }
        scales[slot] = kept;
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(unknown_pages_and_positions_are_refused) {
  thread_pool pool(1);
  kv_fixture kv({1, 1, 32, 0}, dtype::f16, 16, {40});
  rows q(1, 32, 1);
  rows out(1, 32);
  const std::int32_t zero = 0;
  const std::int32_t last = 39;
  for (const path& p : paths()) {
    const paged_attention_args good{.q = q.view(),
                                    .cache = kv.cache(),
                                    .sequences = kv.sequences(),
                                    .row_sequences = {&zero, 1},
                                    .positions = {&last, 1},
                                    .heads = 1,
                                    .out = out.view()};
    BOOST_CHECK_NO_THROW(p.ops->paged_attention(good, pool));
    auto bad = good;
    const std::int32_t past = 48;
    bad.positions = {&past, 1};
    BOOST_CHECK_THROW(p.ops->paged_attention(bad, pool), contract_violation);
    bad = good;
    const std::int32_t other = 1;
    bad.row_sequences = {&other, 1};
    BOOST_CHECK_THROW(p.ops->paged_attention(bad, pool), contract_violation);
    bad = good;
    bad.cache.pages = 2;
    BOOST_CHECK_THROW(p.ops->paged_attention(bad, pool), contract_violation);
    bad = good;
    bad.cache.page_tokens = 12;
    BOOST_CHECK_THROW(p.ops->paged_attention(bad, pool), contract_violation);
    bad = good;
    bad.cache.type = dtype::i8;
    BOOST_CHECK_NO_THROW(p.ops->paged_attention(bad, pool));
    bad.cache.type = dtype::f8_e4m3;
    BOOST_CHECK_NO_THROW(p.ops->paged_attention(bad, pool));
    bad.cache.v_scales = nullptr;
    BOOST_CHECK_THROW(p.ops->paged_attention(bad, pool), contract_violation);
    bad = good;
    scratch memory(256);
    bad.workspace = memory.span().subspan(4);
    BOOST_CHECK_THROW(p.ops->paged_attention(bad, pool), contract_violation);
  }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace sluice::test
