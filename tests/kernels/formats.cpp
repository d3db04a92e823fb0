// SPDX-License-Identifier: Apache-2.0
#include "kernels/check.hpp"
#include "kernels/convert.hpp"
#include "tests/kernels/fixtures.hpp"

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace sluice::test {

namespace {

/// Blocks and values that belong together; the format: tests/golden/README.md.
struct golden_blocks {
  golden_blocks(dtype type, const std::string& direction) {
    const auto path = std::filesystem::path{SLUICE_SOURCE_DIR} /
                      "tests/golden/formats" /
                      (std::string(name(type)) + "." + direction);
    std::ifstream in(path, std::ios::binary);
    std::string all{std::istreambuf_iterator<char>(in), {}};
    BOOST_REQUIRE_MESSAGE(all.starts_with("SLGF"), "no golden file " << path);
    std::uint32_t sizes[3];
    std::memcpy(sizes, all.data() + 4, sizeof sizes);
    values.resize(sizes[1]);
    bytes.resize(sizes[2]);
    BOOST_REQUIRE_EQUAL(all.size(), 16 + bytes.size() + 4 * values.size());
    BOOST_REQUIRE_EQUAL(bytes.size(), row_bytes(type, sizes[1]));
    std::memcpy(bytes.data(), all.data() + 16, bytes.size());
    std::memcpy(values.data(), all.data() + 16 + bytes.size(),
                4 * values.size());
  }

  std::vector<std::byte> bytes;
  std::vector<float> values;
};

constexpr dtype published[] = {
    dtype::q8_0,   dtype::q4_0,   dtype::q4_1, dtype::q5_0, dtype::q5_1,
    dtype::q2_k,   dtype::q3_k,   dtype::q4_k, dtype::q5_k, dtype::q6_k,
    dtype::iq4_nl, dtype::iq4_xs, dtype::mxfp4};

std::vector<float> round_trip(dtype type, const std::vector<float>& values) {
  std::vector<std::byte> packed(
      row_bytes(type, static_cast<std::int64_t>(values.size())));
  std::vector<float> back(values.size());
  quantize_row(type, values, packed.data());
  dequantize_row(type, packed.data(), back);
  return back;
}

/// Sums of 4 uniform numbers: close to normal, deviation 1.
std::vector<float> bell(std::int64_t count, std::uint32_t seed) {
  const auto uniform = random_floats(4 * count, seed, std::sqrt(0.75f));
  std::vector<float> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = uniform[4 * i] + uniform[4 * i + 1] + uniform[4 * i + 2] +
                uniform[4 * i + 3];
  return values;
}

/// Root mean square of the error, relative to that of the values.
double relative_error(const std::vector<float>& values,
                      const std::vector<float>& back) {
  double error = 0, square = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    error += std::pow(double{back[i]} - values[i], 2);
    square += std::pow(double{values[i]}, 2);
  }
  return std::sqrt(error / square);
}

} // namespace

BOOST_AUTO_TEST_SUITE(formats)

BOOST_AUTO_TEST_CASE(blocks_expand_to_the_published_values) {
  for (const dtype type : published) {
    const golden_blocks golden(type, "decode");
    std::vector<float> values(golden.values.size());
    dequantize_row(type, golden.bytes.data(), values);
    BOOST_TEST(same_bytes(values, golden.values), name(type));
  }
}

BOOST_AUTO_TEST_CASE(values_pack_to_the_published_blocks) {
  for (const dtype type :
       {dtype::q8_0, dtype::q4_0, dtype::q4_1, dtype::q5_0, dtype::q5_1}) {
    const golden_blocks golden(type, "encode");
    std::vector<std::byte> packed(golden.bytes.size());
    quantize_row(type, golden.values, packed.data());
    BOOST_TEST((packed == golden.bytes), name(type));
  }
}

BOOST_AUTO_TEST_CASE(normal_weights_keep_the_expected_precision) {
  struct bound {
    dtype type;
    double error; // as measured, rounded up
  };
  constexpr bound bounds[] = {
      {dtype::q8_0, 0.0051}, {dtype::q4_0, 0.082},   {dtype::q4_1, 0.076},
      {dtype::q5_0, 0.041},  {dtype::q5_1, 0.037},   {dtype::q2_k, 0.269},
      {dtype::q3_k, 0.148},  {dtype::q4_k, 0.07},    {dtype::q5_k, 0.035},
      {dtype::q6_k, 0.0171}, {dtype::iq4_nl, 0.074}, {dtype::iq4_xs, 0.0742},
      {dtype::mxfp4, 0.112},
  };
  for (const auto& b : bounds) {
    const auto values = bell(256 * 64, 11);
    const double error = relative_error(values, round_trip(b.type, values));
    BOOST_TEST(error <= b.error, name(b.type) << " errs by " << error);
  }
}

// What a format can say exactly must come back as it is.
BOOST_AUTO_TEST_CASE(packing_finds_an_exact_block_again) {
  for (const dtype type : published) {
    const auto once = round_trip(type, bell(256 * 4, 3));
    const double drift = relative_error(once, round_trip(type, once));
    BOOST_TEST(drift <= 0.02, name(type) << " drifts by " << drift);
  }
}

BOOST_AUTO_TEST_CASE(a_row_of_w8a8_has_one_scale) {
  std::vector<float> values(48, 0.5f);
  values[47] = -2.54f;
  std::vector<std::byte> packed(row_bytes(dtype::w8a8, 48));
  BOOST_REQUIRE_EQUAL(packed.size(), 52u);
  quantize_row(dtype::w8a8, values, packed.data());
  float scale;
  std::memcpy(&scale, packed.data() + 48, sizeof scale);
  BOOST_TEST(scale == 2.54f / 127);
  BOOST_TEST((packed[47] == static_cast<std::byte>(-127)));
  BOOST_TEST((packed[0] == std::byte{25}));
  std::vector<float> back(48);
  dequantize_row(dtype::w8a8, packed.data(), back);
  BOOST_TEST(back[0] == 25 * scale);
  BOOST_TEST(back[47] == -127 * scale);
}

BOOST_AUTO_TEST_CASE(a_row_of_fp8_has_one_scale) {
  std::vector<float> values(48, 0.5f);
  values[47] = -4.48f;
  values[46] = 0;
  std::vector<std::byte> packed(row_bytes(dtype::fp8, 48));
  BOOST_REQUIRE_EQUAL(packed.size(), 52u);
  quantize_row(dtype::fp8, values, packed.data());
  float scale;
  std::memcpy(&scale, packed.data() + 48, sizeof scale);
  BOOST_TEST(scale == 4.48f / 448);
  BOOST_TEST((packed[47] == std::byte{0xfe}));
  BOOST_TEST((packed[46] == std::byte{0}));
  std::vector<float> back(48);
  dequantize_row(dtype::fp8, packed.data(), back);
  BOOST_TEST(back[0] == 48 * scale); // 50 is between 48, which is even, and 52
  BOOST_TEST(back[47] == -448 * scale);
  const auto bell_values = bell(256 * 64, 11);
  BOOST_TEST(relative_error(bell_values, round_trip(dtype::fp8, bell_values)) <
             0.027);
}

BOOST_AUTO_TEST_CASE(rows_of_fp8_are_finite) {
  for (const float size : {0.0f, 1e-42f, 1e-30f, 65504.0f, 3e38f}) {
    const std::vector<float> values(16, -size);
    for (const float back : round_trip(dtype::fp8, values))
      BOOST_TEST(std::fabs(back + size) <= size * 1e-6f + 1e-36f);
  }
  std::vector<float> values(16, 1);
  for (const float bad : {NAN, INFINITY}) {
    values[7] = bad;
    BOOST_TEST(!quantisable(dtype::fp8, values));
    BOOST_CHECK_THROW(round_trip(dtype::fp8, values), contract_violation);
    BOOST_TEST(quantisable(dtype::f8_e4m3, values));
  }
}

BOOST_AUTO_TEST_CASE(extreme_values_stay_finite_or_are_refused) {
  const float largest = 65504;
  for (const dtype type : published) {
    for (const float size : {0.0f, 1e-42f, 1e-30f, 1e-9f, largest}) {
      std::vector<float> values(256, -size);
      for (std::size_t i = 0; i < values.size(); i += 3)
        values[i] = size;
      for (const float back : round_trip(type, values))
        BOOST_REQUIRE_LE(std::fabs(back), 1.13 * size + 1e-8);
    }
    std::vector<float> values(256, 1);
    for (const float bad : {NAN, INFINITY, -1.0001f * largest}) {
      values[77] = bad;
      BOOST_TEST(!quantisable(type, values));
      BOOST_CHECK_THROW(round_trip(type, values), contract_violation);
    }
  }
}

BOOST_AUTO_TEST_CASE(integers_without_a_scale_are_no_numbers) {
  std::vector<float> values(4, 1);
  std::byte data[16] = {};
  for (const dtype type : {dtype::i8, dtype::i32}) {
    BOOST_CHECK_THROW(dequantize_row(type, data, values), contract_violation);
    BOOST_CHECK_THROW(quantize_row(type, values, data), contract_violation);
  }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace sluice::test
