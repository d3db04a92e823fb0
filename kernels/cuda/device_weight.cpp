// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/device_weight.hpp"

#include "kernels/check.hpp"
#include "kernels/cuda/tile_packing.hpp"
#include "kernels/cuda/weight_layout.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

namespace sluice::cuda {

namespace {

constexpr std::int64_t most = std::numeric_limits<std::int32_t>::max() - 256;
// int8 times int8 over a row fits an int32.
constexpr std::int64_t most_int8_columns = 1 << 17;

std::int64_t column_step(weight_form form) {
  switch (form) {
  case weight_form::bf16:
  case weight_form::f16:
  case weight_form::w8a8:
  case weight_form::fp8:
    return 16;
  case weight_form::q8_0:
  case weight_form::q4_0:
  case weight_form::block8:
    return 32;
  case weight_form::q4_k:
  case weight_form::q6_k:
    break;
  }
  return 256;
}

void check_columns(weight_form form, std::int64_t columns) {
  require(columns > 0 && columns <= most && columns % column_step(form) == 0,
          "device weight: a row must have whole blocks, or a multiple of 16 "
          "elements; this model cannot run on a GPU");
  require(form != weight_form::w8a8 || columns <= most_int8_columns,
          "device weight: rows of w8a8 have at most 131,072 elements; use "
          "q8_0");
}

std::size_t checked_bytes(weight_form form, std::int64_t rows,
                          std::int64_t columns) {
  check_columns(form, columns);
  require(rows > 0 && rows <= most,
          "device weight: a matrix has 1 to 2^31 - 257 rows");
  return static_cast<std::size_t>(tiles_of(rows)) *
         device_tile_bytes(form, columns);
}

} // namespace

weight_form form_of(dtype type) {
  switch (type) {
  case dtype::f32:
  case dtype::bf16:
    return weight_form::bf16;
  case dtype::f16:
    return weight_form::f16;
  case dtype::q8_0:
    return weight_form::q8_0;
  case dtype::q4_0:
    return weight_form::q4_0;
  case dtype::q4_k:
    return weight_form::q4_k;
  case dtype::q6_k:
    return weight_form::q6_k;
  case dtype::w8a8:
    return weight_form::w8a8;
  case dtype::fp8:
    return weight_form::fp8;
  case dtype::i32:
  case dtype::i8:
  case dtype::f8_e4m3:
    throw contract_violation("device weight: i32, i8 and f8_e4m3 are no weight "
                             "types; use w8a8 or fp8, which have scales");
  default:
    return weight_form::block8;
  }
}

dtype operand_type(weight_form form) {
  switch (form) {
  case weight_form::f16:
    return dtype::f16;
  case weight_form::w8a8:
    return dtype::i8;
  case weight_form::fp8:
    return dtype::f8_e4m3;
  default:
    return dtype::bf16;
  }
}

std::size_t device_tile_bytes(weight_form form, std::int64_t columns) {
  check_columns(form, columns);
  return static_cast<std::size_t>(tile_bytes(layout_of(form), columns));
}

std::size_t device_weight_bytes(weight_form form, std::int64_t rows,
                                std::int64_t columns) {
  return (checked_bytes(form, rows, columns) + 255) / 256 * 256;
}

void pack_device_weight(const matrix_view& rows, std::span<std::byte> out) {
  const auto form = form_of(rows.type);
  const auto needed = checked_bytes(form, rows.rows, rows.columns);
  require(rows.layout == weight_layout::rows && rows.data != nullptr &&
              rows.row_stride_bytes >= row_bytes(rows.type, rows.columns),
          "device weight: pack reads rows as in the file");
  require(out.size() >= needed,
          "device weight: the room is too small; ask device_weight_bytes");
  std::fill(out.begin(), out.end(), std::byte{0});
  const auto step = device_tile_bytes(form, rows.columns);
  for (std::int64_t n = 0; n < rows.rows; ++n) {
    const auto index = static_cast<std::size_t>(n);
    pack_tile_row(rows.type, rows.data + index * rows.row_stride_bytes,
                  rows.columns, static_cast<int>(n % tile_rows),
                  out.data() + index / tile_rows * step);
  }
}

void unpack_device_weight(weight_form form, std::int64_t rows,
                          std::int64_t columns,
                          std::span<const std::byte> packed, std::int64_t row,
                          float* out) {
  require(packed.size() >= checked_bytes(form, rows, columns) && row >= 0 &&
              row < rows,
          "device weight: unpack reads a packed matrix and one of its rows");
  const auto step = device_tile_bytes(form, columns);
  unpack_tile_row(
      form, packed.data() + static_cast<std::size_t>(row / tile_rows) * step,
      columns, static_cast<int>(row % tile_rows), out);
}

} // namespace sluice::cuda
