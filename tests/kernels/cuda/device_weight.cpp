// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/device_weight.hpp"

#include "kernels/check.hpp"
#include "kernels/cuda/weight_layout.hpp"
#include "tests/kernels/cuda/weight_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <cstring>
#include <set>

using namespace sluice;
using namespace sluice::cuda;
using sluice::test::file_weight;

namespace {

constexpr weight_form forms[] = {
    weight_form::bf16,   weight_form::f16,  weight_form::q8_0,
    weight_form::q4_0,   weight_form::q4_k, weight_form::q6_k,
    weight_form::block8, weight_form::w8a8, weight_form::fp8};

std::vector<float> stored(const file_weight& weight, std::int64_t n) {
  std::vector<float> out(static_cast<std::size_t>(weight.columns));
  unpack_device_weight(form_of(weight.type), weight.rows, weight.columns,
                       weight.packed(), n, out.data());
  return out;
}

// A row as the form holds it: f32 is rounded to bf16.
std::vector<float> expected(const file_weight& weight, std::int64_t n) {
  auto row = weight.widened(n);
  if (weight.type == dtype::f32)
    for (auto& value : row)
      value = bf16_to_f32(f32_to_bf16(value));
  return row;
}

} // namespace

BOOST_AUTO_TEST_SUITE(device_weights)

BOOST_AUTO_TEST_CASE(every_type_comes_back_exactly) {
  for (const auto type : weight_types()) {
    const auto step = std::max<std::int64_t>(block_elements(type), 16);
    for (const auto columns : {step, 3 * step, 9 * step})
      for (const std::int64_t rows : {1, 16, 37}) {
        const file_weight weight{type, rows, columns, 1};
        for (std::int64_t n = 0; n < rows; ++n)
          BOOST_TEST(stored(weight, n) == expected(weight, n),
                     name(type)
                         << " " << rows << " x " << columns << " row " << n);
      }
  }
}

BOOST_AUTO_TEST_CASE(every_bit_of_a_block_comes_back) {
  std::mt19937 chance{3};
  for (const auto type : weight_types()) {
    if (block_elements(type) == 1)
      continue;
    file_weight weight{type, 16, 512, 1};
    const auto bytes = static_cast<std::int64_t>(block_bytes(type));
    // Any bytes are a block; NaNs among the scales stay NaNs.
    for (auto& byte : weight.bytes)
      byte = static_cast<std::byte>(chance());
    BOOST_TEST(bytes > 0);
    for (std::int64_t n = 0; n < 16; ++n) {
      const auto found = stored(weight, n);
      const auto wanted = weight.widened(n);
      for (std::size_t k = 0; k < 512; ++k)
        BOOST_TEST((found[k] == wanted[k] ||
                    (std::isnan(found[k]) && std::isnan(wanted[k]))),
                   name(type) << " row " << n << " column " << k);
    }
  }
}

BOOST_AUTO_TEST_CASE(parts_of_a_matrix_can_be_packed_apart) {
  for (const auto type : weight_types()) {
    const file_weight weight{type, 41, 512, 5};
    const auto whole = weight.packed();
    std::vector<std::byte> parts(whole.size());
    const auto tile = device_tile_bytes(form_of(type), 512);
    for (std::int64_t first = 0; first < 41; first += 32) {
      auto view = weight.view();
      view.data += static_cast<std::size_t>(first) * weight.stride;
      view.rows = std::min<std::int64_t>(41 - first, 32);
      const auto at = static_cast<std::size_t>(first) / 16 * tile;
      const auto room = first == 0 ? 2 * tile : parts.size() - at;
      pack_device_weight(view, std::span{parts}.subspan(at, room));
    }
    BOOST_TEST(parts == whole, name(type));
  }
}

BOOST_AUTO_TEST_CASE(every_element_has_a_place_of_its_own) {
  for (const auto form : forms) {
    const auto layout = layout_of(form);
    std::set<int> seen;
    for (int row = 0; row < 16; ++row)
      for (int column = 0; column < layout.columns; ++column) {
        const auto at = place_of(layout, row, column);
        BOOST_TEST((at.lane >= 0 && at.lane < 32 && at.j >= 0 &&
                    at.j < layout.columns / 4));
        seen.insert((at.lane * 2 + at.half) * 16 + at.j);
      }
    BOOST_TEST(seen.size() == static_cast<std::size_t>(16 * layout.columns));
    BOOST_TEST(layout.bytes() % 16 == 0);
    BOOST_TEST(layout.header_bytes % 16 == 0);
  }
}

BOOST_AUTO_TEST_CASE(bytes_per_weight_are_near_the_files) {
  const auto bits = [](weight_form form) {
    return 8.0 * static_cast<double>(device_weight_bytes(form, 4096, 4096)) /
           (4096.0 * 4096.0);
  };
  BOOST_TEST(bits(weight_form::bf16) == 16);
  BOOST_TEST(bits(weight_form::q8_0) == 8.5);
  BOOST_TEST(bits(weight_form::q4_0) == 4.5);
  BOOST_TEST(bits(weight_form::q4_k) == 4.625);
  BOOST_TEST(bits(weight_form::q6_k) == 6.5625);
  BOOST_TEST(bits(weight_form::block8) == 12);
  BOOST_TEST(bits(weight_form::w8a8) == 8.0078125);
  BOOST_TEST(bits(weight_form::fp8) == 8.0078125);
}

BOOST_AUTO_TEST_CASE(types_have_forms_and_operands) {
  BOOST_TEST((form_of(dtype::f32) == weight_form::bf16));
  BOOST_TEST((form_of(dtype::q5_k) == weight_form::block8));
  BOOST_TEST((operand_type(weight_form::q4_k) == dtype::bf16));
  BOOST_TEST((operand_type(weight_form::f16) == dtype::f16));
  BOOST_TEST((operand_type(weight_form::w8a8) == dtype::i8));
  BOOST_CHECK_THROW(form_of(dtype::i32), contract_violation);
  BOOST_TEST((operand_type(form_of(dtype::fp8)) == dtype::f8_e4m3));
  BOOST_CHECK_THROW(form_of(dtype::i8), contract_violation);
  BOOST_CHECK_THROW(form_of(dtype::f8_e4m3), contract_violation);
}

BOOST_AUTO_TEST_CASE(wrong_shapes_are_refused) {
  const auto refused = [](weight_form form, std::int64_t rows,
                          std::int64_t columns) {
    BOOST_CHECK_THROW(device_weight_bytes(form, rows, columns),
                      contract_violation);
  };
  refused(weight_form::bf16, 16, 24);
  refused(weight_form::q8_0, 16, 48);
  refused(weight_form::q4_k, 16, 128);
  refused(weight_form::bf16, 0, 16);
  refused(weight_form::bf16, 16, 0);
  refused(weight_form::bf16, -1, 16);
  refused(weight_form::bf16, std::int64_t{1} << 31, 16);
  refused(weight_form::w8a8, 16, (1 << 17) + 16);

  const file_weight weight{dtype::q8_0, 17, 64, 1};
  std::vector<std::byte> room(device_weight_bytes(weight_form::q8_0, 17, 64));
  auto view = weight.view();
  BOOST_CHECK_THROW(
      pack_device_weight(view, std::span{room}.first(2 * 1088 - 1)),
      contract_violation);
  view.row_stride_bytes = 67;
  BOOST_CHECK_THROW(pack_device_weight(view, room), contract_violation);
  view = weight.view();
  view.layout = weight_layout::panels;
  BOOST_CHECK_THROW(pack_device_weight(view, room), contract_violation);
  float out[64];
  BOOST_CHECK_THROW(
      unpack_device_weight(weight_form::q8_0, 17, 64, room, 17, out),
      contract_violation);
}

BOOST_AUTO_TEST_SUITE_END()
