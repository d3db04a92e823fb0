// SPDX-License-Identifier: Apache-2.0
#include "kernels/convert.hpp"

#include "kernels/check.hpp"
#include "tests/kernels/fixtures.hpp"

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <limits>

namespace sluice::test {

BOOST_AUTO_TEST_SUITE(convert)

BOOST_AUTO_TEST_CASE(every_half_survives_the_round_trip) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const float value = f16_to_f32(half);
    const float brain = bf16_to_f32(half);
    if (std::isnan(value)) {
      BOOST_REQUIRE(std::isnan(f16_to_f32(f32_to_f16(value))));
    } else {
      BOOST_REQUIRE(f32_to_f16(value) == half);
    }
    if (std::isnan(brain)) {
      BOOST_REQUIRE(std::isnan(bf16_to_f32(f32_to_bf16(brain))));
    } else {
      BOOST_REQUIRE(f32_to_bf16(brain) == half);
    }
  }
}

BOOST_AUTO_TEST_CASE(halves_have_their_standard_values) {
  BOOST_TEST(f16_to_f32(0x3c00) == 1.0f);
  BOOST_TEST(f16_to_f32(0xc000) == -2.0f);
  BOOST_TEST(f16_to_f32(0x7bff) == 65504.0f);
  BOOST_TEST(f16_to_f32(0x0001) == 0x1p-24f);
  BOOST_TEST(f16_to_f32(0x03ff) == 1023 * 0x1p-24f);
  BOOST_TEST(std::isinf(f16_to_f32(0x7c00)));
  BOOST_TEST(bf16_to_f32(0x3f80) == 1.0f);
}

BOOST_AUTO_TEST_CASE(narrowing_rounds_to_nearest_even) {
  BOOST_TEST(f32_to_f16(1 + 0x1p-11f) == 0x3c00);            // tie, to even
  BOOST_TEST(f32_to_f16(1 + 3 * 0x1p-11f) == 0x3c02);        // tie, to even
  BOOST_TEST(f32_to_f16(1 + 0x1p-11f + 0x1p-20f) == 0x3c01); // above the tie
  BOOST_TEST(f32_to_f16(65519.0f) == 0x7bff);
  BOOST_TEST(f32_to_f16(65520.0f) == 0x7c00);
  BOOST_TEST(f32_to_f16(0x1p-25f) == 0x0000); // tie, to even
  BOOST_TEST(f32_to_f16(3 * 0x1p-25f) == 0x0002);
  BOOST_TEST(f32_to_f16(-0.0f) == 0x8000);
  BOOST_TEST(f32_to_bf16(1 + 0x1p-8f) == 0x3f80);
  BOOST_TEST(f32_to_bf16(1 + 3 * 0x1p-8f) == 0x3f82);
  BOOST_TEST(f32_to_bf16(std::numeric_limits<float>::max()) == 0x7f80);
}

// The number that a code stands for, from its three fields.
double value_of_f8(int code) {
  const int exponent = code >> 3 & 15;
  const int mantissa = code & 7;
  const double size = exponent == 0 ? std::ldexp(mantissa, -9)
                                    : std::ldexp(8 + mantissa, exponent - 10);
  return code & 0x80 ? -size : size;
}

BOOST_AUTO_TEST_CASE(every_f8_has_its_value_and_survives_the_round_trip) {
  for (int code = 0; code < 256; ++code) {
    const auto bits = static_cast<std::uint8_t>(code);
    const float value = f8_e4m3_to_f32(bits);
    if ((code & 0x7f) == 0x7f) {
      BOOST_TEST(std::isnan(value));
      BOOST_TEST(f32_to_f8_e4m3(value) == 0x7f);
      continue;
    }
    BOOST_TEST(value == value_of_f8(code), code);
    BOOST_TEST(std::signbit(value) == (code >= 0x80));
    BOOST_TEST(f32_to_f8_e4m3(value) == bits);
  }
  BOOST_TEST(f8_e4m3_to_f32(0x7e) == largest_f8_e4m3);
  BOOST_TEST(f8_e4m3_to_f32(0x01) == 0x1p-9f);
  BOOST_TEST(f8_e4m3_to_f32(0x38) == 1.0f);
}

// Around the middle of every two neighbours, up to the last: the codes order as
// their values.
BOOST_AUTO_TEST_CASE(narrowing_to_f8_rounds_to_nearest_even) {
  const float infinity = std::numeric_limits<float>::infinity();
  for (int code = 0; code < 0x7e; ++code)
    for (const int sign : {0, 0x80}) {
      const float side = sign ? -1.0f : 1.0f;
      const auto middle =
          static_cast<float>((value_of_f8(code) + value_of_f8(code + 1)) / 2);
      const int even = code % 2 == 0 ? code : code + 1;
      BOOST_TEST(f32_to_f8_e4m3(side * middle) == (even | sign));
      BOOST_TEST(f32_to_f8_e4m3(side * std::nextafter(middle, 0.0f)) ==
                 (code | sign));
      BOOST_TEST(f32_to_f8_e4m3(side * std::nextafter(middle, infinity)) ==
                 ((code + 1) | sign));
    }
}

BOOST_AUTO_TEST_CASE(an_f8_goes_no_further_than_448) {
  for (const float large : {448.0f, 449.0f, 464.0f, 480.0f, 1e30f,
                            std::numeric_limits<float>::infinity()}) {
    BOOST_TEST(f32_to_f8_e4m3(large) == 0x7e);
    BOOST_TEST(f32_to_f8_e4m3(-large) == 0xfe);
  }
  BOOST_TEST(f32_to_f8_e4m3(-NAN) == 0x7f);
  BOOST_TEST(f32_to_f8_e4m3(-0.0f) == 0x80);
  BOOST_TEST(f32_to_f8_e4m3(std::numeric_limits<float>::denorm_min()) == 0);
}

BOOST_AUTO_TEST_CASE(quantising_stays_within_half_a_step) {
  struct bound {
    dtype type;
    double step; // relative to the block's largest magnitude
  };
  for (const bound b :
       {bound{dtype::q8_0, 0.51 / 127 + 0x1p-11}, bound{dtype::q4_0, 1.01 / 8},
        bound{dtype::f16, 0x1p-11}, bound{dtype::bf16, 0x1p-8},
        bound{dtype::f32, 0}}) {
    const auto values = random_floats(32, 5, 3);
    std::vector<std::byte> packed(row_bytes(b.type, 32));
    std::vector<float> back(32);
    quantize_row(b.type, values, packed.data());
    dequantize_row(b.type, packed.data(), back);
    BOOST_TEST(relative_difference(back, values) <= b.step, name(b.type));
  }
}

BOOST_AUTO_TEST_CASE(blocks_have_the_file_layout) {
  std::vector<float> values(32, 0.0f);
  values[0] = -8;
  values[16] = 7;
  std::vector<std::byte> packed(18);
  quantize_row(dtype::q4_0, values, packed.data());
  BOOST_TEST((packed[0] == std::byte{0x00} && packed[1] == std::byte{0x3c}));
  BOOST_TEST((packed[2] == std::byte{0xf0})); // 7 + 8 above, -8 + 8 below
  BOOST_TEST((packed[3] == std::byte{0x88}));
  values[0] = 127;
  packed.resize(34);
  quantize_row(dtype::q8_0, values, packed.data());
  BOOST_TEST((packed[2] == std::byte{127} && packed[18] == std::byte{7}));
}

BOOST_AUTO_TEST_CASE(what_has_no_quant_is_refused) {
  std::vector<std::byte> packed(34);
  for (const float bad : {NAN, std::numeric_limits<float>::infinity()}) {
    std::vector<float> values(32, 1.0f);
    values[9] = bad;
    BOOST_CHECK_THROW(quantize_row(dtype::q8_0, values, packed.data()),
                      contract_violation);
    BOOST_CHECK_THROW(quantize_row(dtype::q4_0, values, packed.data()),
                      contract_violation);
  }
  // A block too small for an f16 scale becomes 0, not garbage.
  std::vector<float> tiny(32, 1e-44f);
  std::vector<float> back(32, 1.0f);
  quantize_row(dtype::q8_0, tiny, packed.data());
  dequantize_row(dtype::q8_0, packed.data(), back);
  BOOST_TEST(back == std::vector<float>(32, 0.0f));
}

BOOST_AUTO_TEST_CASE(sizes_are_checked) {
  BOOST_TEST(row_bytes(dtype::f32, 3) == 12u);
  BOOST_TEST(row_bytes(dtype::q8_0, 64) == 68u);
  BOOST_TEST(row_bytes(dtype::q4_0, 64) == 36u);
  BOOST_TEST(name(dtype::bf16) == "bf16");
  BOOST_CHECK_THROW(row_bytes(dtype::q8_0, 33), contract_violation);
  BOOST_CHECK_THROW(row_bytes(dtype::f32, -1), contract_violation);
  BOOST_CHECK_THROW(
      row_bytes(dtype::f32, std::numeric_limits<std::int64_t>::max()),
      contract_violation);
  BOOST_CHECK_THROW(row_bytes(static_cast<dtype>(99), 32), contract_violation);
  float out[32];
  std::byte in[4] = {};
  BOOST_CHECK_THROW(dequantize_row(dtype::i32, in, {out, 1}),
                    contract_violation);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace sluice::test
