// SPDX-License-Identifier: Apache-2.0
#include "kernels/check.hpp"
#include "kernels/convert.hpp"
#include "tests/kernels/fixtures.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace sluice::test {

namespace {

struct rope_case {
  std::int64_t heads;
  std::int64_t kv_heads;
  std::int64_t head_dim;
  std::int64_t rotary_dim;
  rope_layout layout;
};

const rope_case cases[] = {{4, 2, 32, 32, rope_layout::half_split},
                           {4, 1, 64, 64, rope_layout::interleaved},
                           {2, 2, 80, 20, rope_layout::half_split},
                           {3, 1, 20, 10, rope_layout::interleaved},
                           {1, 1, 128, 0, rope_layout::half_split}};

const std::vector<std::int32_t> positions = {0, 1, 77, 100000, 5};

// Inputs and outputs of one call over a cache of three pages.
struct rope_run {
  rope_run(const rope_case& c, dtype type)
      : q(5, c.heads * c.head_dim, 1), k(5, c.kv_heads * c.head_dim, 2),
        v(5, c.kv_heads * c.head_dim, 3),
        part(row_bytes(type, 3 * 16 * c.kv_heads * c.head_dim)), stored_k(part),
        stored_v(part), k_scales(static_cast<std::size_t>(48 * c.kv_heads)),
        v_scales(k_scales), shape(c), kv_type(type) {}

  void run(const op_table& ops, int threads) {
    thread_pool pool(threads);
    const auto half = static_cast<std::size_t>(shape.rotary_dim / 2);
    std::vector<float> inv_freq(half);
    for (std::size_t i = 0; i < half; ++i) {
      const auto power = static_cast<float>(i) / static_cast<float>(half);
      inv_freq[i] = std::pow(10000.0f, -power);
    }
    std::vector<float> cos_sin(5 * 2 * half);
    ops.rope_angles({positions, inv_freq, 1.25f, cos_sin}, pool);
    ops.rope_store_kv(
        {.q = q.view(),
         .k = k.view(),
         .v = v.view(),
         .cos_sin = cos_sin,
         .rotary_dim = shape.rotary_dim,
         .layout = shape.layout,
         .slots = slots,
         .cache = {stored_k.data(), stored_v.data(), kv_type, 3, shape.kv_heads,
                   16, shape.head_dim, k_scales.data(), v_scales.data()}},
        pool);
  }

  // Where K and V of a token and kv head are stored.
  std::size_t line(std::size_t token, std::int64_t head) const {
    const std::int64_t page = slots[token] / 16;
    return static_cast<std::size_t>((page * shape.kv_heads + head) * 16 +
                                    slots[token] % 16);
  }

  // The stored K or V of a token and kv head.
  std::vector<float> stored(const std::vector<std::byte>& bytes,
                            std::size_t token, std::int64_t head) const {
    std::vector<float> out(static_cast<std::size_t>(shape.head_dim));
    dequantize_row(kv_type,
                   bytes.data() +
                       line(token, head) * row_bytes(kv_type, shape.head_dim),
                   out);
    return out;
  }

  rows q;
  rows k;
  rows v;
  std::vector<std::byte> part;
  std::vector<std::byte> stored_k;
  std::vector<std::byte> stored_v;
  std::vector<float> k_scales;
  std::vector<float> v_scales;
  rope_case shape;
  dtype kv_type;
  std::vector<std::int64_t> slots = {47, 0, 16, 3, 31};
};

} // namespace

BOOST_AUTO_TEST_SUITE(rope)

BOOST_AUTO_TEST_CASE(agrees_with_the_oracle) {
  for (const path& p : paths()) {
    double worst = 0;
    for (const rope_case& c : cases) {
      rope_run ours(c, dtype::f32);
      rope_run expected(c, dtype::f32);
      ours.run(*p.ops, 2);
      expected.run(oracle(), 1);
      const double off =
          std::fmax(relative_difference(ours.q.values, expected.q.values),
                    relative_difference(ours.k.values, expected.k.values));
      BOOST_TEST(off <= 2e-7,
                 p.name << " head_dim " << c.head_dim << ": " << off);
      worst = std::fmax(worst, off);
    }
    BOOST_TEST_MESSAGE("rope_store_kv " << p.name << ": largest difference "
                                        << worst);
  }
}

BOOST_AUTO_TEST_CASE(rotates_known_pairs) {
  // A quarter turn maps (1, 0) to (0, 1); inv_freq makes it at position 3.
  const float inv_freq[] = {std::acos(0.0f) / 3};
  const std::int32_t position = 3;
  const std::int64_t slot = 0;
  for (const path& p : paths()) {
    for (const auto layout :
         {rope_layout::half_split, rope_layout::interleaved}) {
      thread_pool pool(1);
      float cos_sin[2];
      p.ops->rope_angles({{&position, 1}, inv_freq, 1, cos_sin}, pool);
      rows q(1, 4);
      q.values = {1, 0, 7, 8}; // the last two are past rotary_dim
      rows kv(1, 4);
      std::vector<float> k(32);
      std::vector<float> v(32);
      p.ops->rope_store_kv({.q = q.view(),
                            .k = kv.view(),
                            .v = kv.view(),
                            .cos_sin = cos_sin,
                            .rotary_dim = 2,
                            .layout = layout,
                            .slots = {&slot, 1},
                            .cache = {reinterpret_cast<std::byte*>(k.data()),
                                      reinterpret_cast<std::byte*>(v.data()),
                                      dtype::f32, 1, 1, 8, 4}},
                           pool);
      BOOST_TEST(std::fabs(q.values[0]) < 1e-6f);
      BOOST_TEST(std::fabs(q.values[1] - 1) < 1e-6f);
      BOOST_TEST(q.values[2] == 7);
      BOOST_TEST(q.values[3] == 8);
    }
  }
}

BOOST_AUTO_TEST_CASE(stores_rounded_rows_at_their_slots_and_nothing_else) {
  for (const path& p : paths()) {
    for (const dtype type : {dtype::f32, dtype::f16, dtype::bf16}) {
      for (const rope_case& c : cases) {
        rope_run one(c, type);
        one.run(*p.ops, 1);
        for (std::size_t t = 0; t < 5; ++t) {
          for (std::int64_t head = 0; head < c.kv_heads; ++head) {
            const auto n = static_cast<std::size_t>(c.head_dim);
            const float* k = one.k.view().data +
                             static_cast<std::int64_t>(t) * one.k.width +
                             head * c.head_dim;
            std::vector<std::byte> packed(row_bytes(type, c.head_dim));
            std::vector<float> rounded(n);
            quantize_row(type, {k, n}, packed.data());
            dequantize_row(type, packed.data(), rounded);
            BOOST_TEST(same_bytes(one.stored(one.stored_k, t, head), rounded),
                       p.name << " " << name(type) << " token " << t);
          }
        }
        const auto written = 5 * row_bytes(type, c.kv_heads * c.head_dim);
        const auto zeros = static_cast<std::size_t>(
            std::count(one.stored_v.begin(), one.stored_v.end(), std::byte{0}));
        BOOST_TEST(zeros >= one.stored_v.size() - written);
      }
    }
  }
}

// What a byte of the cache is before its scale, and what should be there.
float stored_byte(dtype type, std::byte b) {
  return type == dtype::i8 ? static_cast<float>(static_cast<std::int8_t>(b))
                           : f8_e4m3_to_f32(std::to_integer<std::uint8_t>(b));
}
float rounded_byte(dtype type, float x) {
  return type == dtype::i8 ? std::nearbyint(x)
                           : f8_e4m3_to_f32(f32_to_f8_e4m3(x));
}

BOOST_AUTO_TEST_CASE(stores_bytes_with_a_scale_a_head) {
  for (const path& p : paths()) {
    for (const dtype type : {dtype::i8, dtype::f8_e4m3})
      for (const rope_case& c : cases) {
        rope_run one(c, type);
        one.run(*p.ops, 1);
        for (std::size_t t = 0; t < 5; ++t) {
          for (std::int64_t head = 0; head < c.kv_heads; ++head) {
            const float* v = one.v.view().data +
                             static_cast<std::int64_t>(t) * one.v.width +
                             head * c.head_dim;
            const float top = std::fabs(
                *std::max_element(v, v + c.head_dim, [](float a, float b) {
                  return std::fabs(a) < std::fabs(b);
                }));
            const std::size_t line = one.line(t, head);
            const float most = type == dtype::i8 ? 127.0f : 448.0f;
            BOOST_TEST(one.v_scales[line] == top / most, p.name);
            for (std::int64_t i = 0; i < c.head_dim; ++i) {
              const auto at = line * static_cast<std::size_t>(c.head_dim) +
                              static_cast<std::size_t>(i);
              BOOST_TEST(stored_byte(type, one.stored_v[at]) ==
                             rounded_byte(type, v[i] / one.v_scales[line]),
                         p.name << " token " << t << " element " << i);
            }
          }
        }
      }
  }
}

BOOST_AUTO_TEST_CASE(bytes_of_nothing_and_of_no_number) {
  for (const path& p : paths()) {
    for (const dtype type : {dtype::i8, dtype::f8_e4m3})
      for (const float bad : {std::numeric_limits<float>::infinity(),
                              std::numeric_limits<float>::quiet_NaN()}) {
        rope_run one({1, 2, 20, 0, rope_layout::half_split}, type);
        std::fill_n(one.v.values.begin(), 20, -1e-31f);
        one.v.values[20 + 17] = bad;
        one.run(*p.ops, 1);
        BOOST_TEST(one.v_scales[one.line(0, 0)] == 0.0f, p.name);
        BOOST_TEST(std::isnan(one.v_scales[one.line(0, 1)]), p.name);
        const std::byte* rows = one.stored_v.data();
        for (const std::int64_t head : {0, 1}) {
          const std::byte* first = rows + one.line(0, head) * 20;
          BOOST_TEST(std::all_of(first, first + 20,
                                 [](std::byte b) { return b == std::byte{0}; }),
                     p.name);
        }
        BOOST_TEST(one.v_scales[one.line(1, 0)] > 0, p.name);
      }
  }
}

BOOST_AUTO_TEST_CASE(bad_slots_and_angles_are_refused) {
  for (const path& p : paths()) {
    rope_run slot_past_the_end(cases[0], dtype::f16);
    slot_past_the_end.slots[2] = 48;
    BOOST_CHECK_THROW(slot_past_the_end.run(*p.ops, 1), contract_violation);
    rope_run odd(cases[0], dtype::f16);
    odd.shape.rotary_dim = 64; // more than head_dim
    BOOST_CHECK_THROW(odd.run(*p.ops, 1), contract_violation);
    rope_run quantised(cases[0], dtype::q8_0);
    BOOST_CHECK_THROW(quantised.run(*p.ops, 1), contract_violation);
  }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace sluice::test
