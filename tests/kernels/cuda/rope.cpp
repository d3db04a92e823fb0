// SPDX-License-Identifier: Apache-2.0
#include "kernels/check.hpp"
#include "kernels/convert.hpp"
#include "kernels/cuda/ops.hpp"
#include "tests/kernels/cuda/device_array.hpp"
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
                           {3, 1, 96, 10, rope_layout::interleaved},
                           {8, 2, 128, 128, rope_layout::half_split},
                           {1, 1, 256, 0, rope_layout::half_split}};

const std::vector<std::int32_t> positions = {0, 1, 77, 100000, 5};
constexpr std::int64_t page_tokens = 16;
constexpr std::int64_t cache_pages = 3;

std::vector<float> frequencies(std::int64_t rotary_dim) {
  std::vector<float> found;
  for (std::int64_t i = 0; i < rotary_dim / 2; ++i)
    found.push_back(std::pow(10000.0f, -2 * static_cast<float>(i) /
                                           static_cast<float>(rotary_dim)));
  return found;
}

// What a call leaves behind.
struct rope_result {
  std::vector<float> cos_sin;
  std::vector<float> q; // as stored, widened
  std::vector<std::byte> k;
  std::vector<std::byte> v;
  std::vector<float> k_scales;
  std::vector<float> v_scales;
};

// One call's inputs: q, k and v are parts of one row, as a matmul leaves them.
struct rope_run {
  rope_run(const rope_case& c, dtype type)
      : shape(c), type(type),
        qkv(5, (c.heads + 2 * c.kv_heads) * c.head_dim, 1, 2) {}

  activations part(float* from, std::int64_t first, std::int64_t heads) const {
    return {from + first * shape.head_dim, qkv.height, heads * shape.head_dim,
            qkv.width};
  }

  std::size_t cache_bytes() const {
    return row_bytes(type, cache_pages * page_tokens * shape.kv_heads *
                               shape.head_dim);
  }
  std::size_t cache_heads() const {
    return static_cast<std::size_t>(cache_pages * page_tokens * shape.kv_heads);
  }

  rope_result expected() {
    thread_pool pool(1);
    rope_result out;
    const auto inv_freq = frequencies(shape.rotary_dim);
    out.cos_sin.resize(positions.size() * inv_freq.size() * 2);
    oracle().rope_angles({positions, inv_freq, 1.25f, out.cos_sin}, pool);
    auto copy = qkv;
    out.k.resize(cache_bytes());
    out.v = out.k;
    out.k_scales.resize(cache_heads());
    out.v_scales = out.k_scales;
    float* data = copy.values.data();
    const auto q = part(data, 0, shape.heads);
    oracle().rope_store_kv(
        {.q = q,
         .k = part(data, shape.heads, shape.kv_heads),
         .v = part(data, shape.heads + shape.kv_heads, shape.kv_heads),
         .cos_sin = out.cos_sin,
         .rotary_dim = shape.rotary_dim,
         .layout = shape.layout,
         .slots = slots,
         .cache = {out.k.data(), out.v.data(), type, cache_pages,
                   shape.kv_heads, page_tokens, shape.head_dim,
                   out.k_scales.data(), out.v_scales.data()}},
        pool);
    for (std::int64_t r = 0; r < q.rows; ++r)
      out.q.insert(out.q.end(), q.data + r * q.row_stride,
                   q.data + r * q.row_stride + q.columns);
    return out;
  }

  // The rows [first, first + count) of the same call.
  rope_result run(std::int64_t first = 0, std::int64_t count = 5) {
    cuda::stream in;
    const auto inv_freq = frequencies(shape.rotary_dim);
    const device_array<std::int32_t> at(
        in, std::span{positions}.subspan(static_cast<std::size_t>(first)));
    const device_array<float> frequency(in, std::span<const float>{inv_freq});
    const device_array<float> cos_sin(
        in, static_cast<std::size_t>(count * shape.rotary_dim));
    const device_array<float> rows_of(in, std::span<const float>{qkv.values});
    const device_array<std::int64_t> to(
        in, std::span<const std::int64_t>{slots}.subspan(
                static_cast<std::size_t>(first)));
    const std::vector<std::byte> zeros(cache_bytes());
    const device_array<std::byte> k(in, std::span<const std::byte>{zeros});
    const device_array<std::byte> v(in, std::span<const std::byte>{zeros});
    const std::vector<float> no_scales(cache_heads());
    const device_array<float> k_scales(in, std::span<const float>{no_scales});
    const device_array<float> v_scales(in, std::span<const float>{no_scales});
    const device_array<std::uint16_t> q(
        in, static_cast<std::size_t>(count * shape.heads * shape.head_dim));
    cuda::rope_angles({.positions = at.data(),
                       .inv_freq = frequency.data(),
                       .rows = count,
                       .rotary_dim = shape.rotary_dim,
                       .scale = 1.25f,
                       .cos_sin = cos_sin.data()},
                      in);
    float* data = rows_of.data() + first * qkv.width;
    const auto rows_part = [&](std::int64_t head, std::int64_t heads) {
      auto found = part(data, head, heads);
      found.rows = count;
      return found;
    };
    cuda::rope_store_kv(
        {.q = rows_part(0, shape.heads),
         .k = rows_part(shape.heads, shape.kv_heads),
         .v = rows_part(shape.heads + shape.kv_heads, shape.kv_heads),
         .cos_sin = cos_sin.data(),
         .rotary_dim = shape.rotary_dim,
         .layout = shape.layout,
         .slots = to.data(),
         .cache = {k.bytes(), v.bytes(), type, cache_pages, shape.kv_heads,
                   page_tokens, shape.head_dim, k_scales.data(),
                   v_scales.data()},
         .q_out = q.bytes()},
        in);
    rope_result out{cos_sin.values(),  {},
                    k.values(),        v.values(),
                    k_scales.values(), v_scales.values()};
    for (const auto bits : q.values())
      out.q.push_back(type == dtype::bf16 ? bf16_to_f32(bits)
                                          : f16_to_f32(bits));
    return out;
  }

  // Where K and V of a row and kv head are stored.
  std::size_t line(std::size_t row, std::int64_t head) const {
    const auto slot = slots[row];
    return static_cast<std::size_t>(
        (slot / page_tokens * shape.kv_heads + head) * page_tokens +
        slot % page_tokens);
  }

  std::vector<float> widened(const std::vector<std::byte>& cache) const {
    std::vector<float> out(cache_heads() *
                           static_cast<std::size_t>(shape.head_dim));
    if (type == dtype::i8)
      std::transform(cache.begin(), cache.end(), out.begin(), [](std::byte b) {
        return static_cast<float>(static_cast<std::int8_t>(b));
      });
    else
      dequantize_row(type, cache.data(), out);
    return out;
  }

  rope_case shape;
  dtype type;
  rows qkv;
  std::vector<std::int64_t> slots = {47, 0, 16, 3, 31};
};

const dtype types[] = {dtype::f16, dtype::bf16, dtype::i8, dtype::f8_e4m3};

// The oracle rotates in double and rounds twice, to f32 and to the stored
// type; the kernel rotates in f32. Where the two f32 straddle the middle of two
// stored numbers they end one step apart: 2^-7 of a bf16, 2^-10 of an f16, 1 of
// an int8, 2^-3 of an f8_e4m3.
bool are_neighbours(float a, float b, dtype type) {
  const float step = type == dtype::i8     ? 1
                     : type == dtype::bf16 ? std::fabs(b) * 0x1p-7f
                     : type == dtype::f8_e4m3
                         ? std::fmax(std::fabs(b) * 0x1p-3f, 0x1p-9f)
                         : std::fabs(b) * 0x1p-10f + 0x1p-24f;
  return std::fabs(a - b) <= step;
}

std::size_t distant(const std::vector<float>& a, const std::vector<float>& b,
                    dtype type) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < b.size(); ++i)
    count += !are_neighbours(a[i], b[i], type);
  return count;
}

std::size_t different(const std::vector<float>& a,
                      const std::vector<float>& b) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < b.size(); ++i)
    count += a[i] != b[i];
  return count;
}

} // namespace

BOOST_AUTO_TEST_SUITE(cuda_rope)

BOOST_AUTO_TEST_CASE(agrees_with_the_oracle) {
  for (const dtype type : types) {
    for (const rope_case& c : cases) {
      rope_run one(c, type);
      const auto ours = one.run();
      const auto expected = one.expected();
      const auto what =
          std::string{name(type)} + " head_dim " + std::to_string(c.head_dim);
      BOOST_TEST(relative_difference(ours.cos_sin, expected.cos_sin) <= 1e-7,
                 what);
      auto rounded = expected.q;
      const auto q_type = is_scaled(type) ? dtype::f16 : type;
      std::vector<std::byte> packed(row_bytes(q_type, std::ssize(rounded)));
      quantize_row(q_type, rounded, packed.data());
      dequantize_row(q_type, packed.data(), rounded);
      const auto k = one.widened(ours.k);
      const auto expected_k = one.widened(expected.k);
      BOOST_TEST(distant(ours.q, rounded, q_type) == 0u, what);
      BOOST_TEST(distant(k, expected_k, type) == 0u, what);
      // That happens to few of them.
      BOOST_TEST(different(ours.q, rounded) * 100 <= rounded.size(), what);
      BOOST_TEST(different(k, expected_k) * 100 <= k.size(), what);
      BOOST_TEST((ours.v == expected.v), what);
      BOOST_TEST(same_bytes(ours.v_scales, expected.v_scales), what);
      BOOST_TEST(relative_difference(ours.k_scales, expected.k_scales) <= 2e-7,
                 what);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_row_alone_is_the_row_in_a_batch) {
  for (const dtype type : types) {
    rope_run one(cases[4], type);
    const auto all = one.run();
    const auto alone = one.run(3, 1);
    const auto width =
        static_cast<std::ptrdiff_t>(one.shape.heads * one.shape.head_dim);
    BOOST_TEST(same_bytes(
        alone.q, {all.q.begin() + 3 * width, all.q.begin() + 4 * width}));
    const auto bytes = row_bytes(type, one.shape.head_dim);
    for (const std::int64_t head : {0, 1}) {
      const auto from = one.line(3, head) * bytes;
      BOOST_TEST(std::equal(all.k.data() + from, all.k.data() + from + bytes,
                            alone.k.data() + from));
    }
  }
}

BOOST_AUTO_TEST_CASE(skipped_rows_store_nothing) {
  for (const dtype type : types) {
    rope_run one(cases[0], type);
    const auto all = one.run();
    one.slots[1] = -1;
    const auto some = one.run();
    one.slots[1] = 0;
    const auto bytes = row_bytes(type, one.shape.head_dim);
    std::size_t written = 0;
    for (std::size_t i = 0; i < all.k.size(); ++i)
      written += all.k[i] != some.k[i];
    BOOST_TEST(written <= bytes * 2);
    const auto at = one.line(1, 1) * bytes;
    BOOST_TEST(std::all_of(some.v.data() + at, some.v.data() + at + bytes,
                           [](std::byte b) { return b == std::byte{0}; }));
  }
}

BOOST_AUTO_TEST_CASE(bytes_of_nothing_and_of_no_number) {
  for (const dtype type : {dtype::i8, dtype::f8_e4m3})
    for (const float bad : {std::numeric_limits<float>::infinity(),
                            -std::numeric_limits<float>::quiet_NaN()}) {
      rope_run one({1, 2, 32, 0, rope_layout::half_split}, type);
      float* v = one.qkv.values.data() + 3 * 32;
      std::fill_n(v, 32, -1e-31f);
      v[32 + 17] = bad;
      const auto out = one.run();
      BOOST_TEST(out.v_scales[one.line(0, 0)] == 0.0f);
      BOOST_TEST(std::isnan(out.v_scales[one.line(0, 1)]));
      for (const std::int64_t head : {0, 1}) {
        const auto* first = out.v.data() + one.line(0, head) * 32;
        BOOST_TEST(std::all_of(first, first + 32,
                               [](std::byte b) { return b == std::byte{0}; }));
      }
      BOOST_TEST(out.v_scales[one.line(1, 0)] > 0);
    }
}

BOOST_AUTO_TEST_CASE(mistakes_are_refused) {
  rope_run odd(cases[0], dtype::f16);
  odd.shape.rotary_dim = 33;
  BOOST_CHECK_THROW(odd.run(), contract_violation);
  rope_run wide(cases[0], dtype::f16);
  wide.shape.rotary_dim = 64; // more than head_dim
  BOOST_CHECK_THROW(wide.run(), contract_violation);
  rope_run typed(cases[0], dtype::f32);
  BOOST_CHECK_THROW(typed.run(), contract_violation);
  rope_run narrow({1, 1, 20, 20, rope_layout::half_split}, dtype::f16);
  BOOST_CHECK_THROW(narrow.run(), contract_violation);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace sluice::test
