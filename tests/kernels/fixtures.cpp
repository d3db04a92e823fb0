// SPDX-License-Identifier: Apache-2.0
#include "tests/kernels/fixtures.hpp"

#include "kernels/convert.hpp"
#include "kernels/cpu/tables.hpp"
#include "kernels/select.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <random>

namespace sluice::test {

std::vector<path> paths() {
  std::vector<path> found;
  for (const instruction_set isa : available_instruction_sets()) {
    if (isa != instruction_set::reference) {
      found.push_back({std::string(name(isa)), &select(isa)});
    }
  }
#if defined(SLUICE_AVX512_EMULATED)
  if (available(instruction_set::avx2)) {
    found.push_back({"avx512 (emulated)", &avx512_emulated::table()});
  }
#endif
  return found;
}

const op_table& oracle() {
  return select(instruction_set::reference);
}

std::vector<float> random_floats(std::int64_t count, std::uint32_t seed,
                                 float scale) {
  std::mt19937 generator(seed);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) {
    const auto bits = static_cast<float>(generator() >> 8);
    value = (bits * 0x1p-23f - 1) * scale;
  }
  return values;
}

rows::rows(std::int64_t h, std::int64_t w)
    : height(h), width(w), values(static_cast<std::size_t>(h * w)) {}

rows::rows(std::int64_t h, std::int64_t w, std::uint32_t seed, float scale)
    : height(h), width(w), values(random_floats(h * w, seed, scale)) {}

activations rows::view() {
  return view(0, height);
}

activations rows::view(std::int64_t first, std::int64_t count) {
  return {values.data() + first * width, count, width, width};
}

weights::weights(dtype t, std::int64_t h, std::int64_t w, std::uint32_t seed)
    : type(t), height(h), width(w),
      bytes(row_bytes(t, w) * static_cast<std::size_t>(h)) {
  const std::size_t stride = row_bytes(t, w);
  for (std::int64_t row = 0; row < h; ++row) {
    const auto values =
        random_floats(w, seed + static_cast<std::uint32_t>(row) * 7919u);
    quantize_row(t, values,
                 bytes.data() + static_cast<std::size_t>(row) * stride);
  }
}

matrix_view weights::view() const {
  return {bytes.data(), type, height, width, row_bytes(type, width)};
}

scratch::scratch(std::size_t count) : size(count), bytes(count + 64) {}

std::span<std::byte> scratch::span() {
  void* start = bytes.data();
  std::size_t space = bytes.size();
  std::align(64, size, start, space);
  return {static_cast<std::byte*>(start), size};
}

packed_weights::packed_weights(const matrix_view& rows,
                               const weight_packing& packing)
    : shape(rows),
      bytes(packing.panel_bytes(rows.type, rows.columns) *
            static_cast<std::size_t>((rows.rows + packing.panel_rows - 1) /
                                     packing.panel_rows)) {
  shape.data = nullptr;
  shape.layout = weight_layout::panels;
  shape.row_stride_bytes = packing.panel_bytes(rows.type, rows.columns);
  std::byte* panel = bytes.span().data();
  for (std::int64_t row = 0; row < rows.rows; row += packing.panel_rows) {
    matrix_view some = rows;
    some.data += static_cast<std::size_t>(row) * rows.row_stride_bytes;
    some.rows = std::min(packing.panel_rows, rows.rows - row);
    packing.pack_panel(some, panel);
    panel += shape.row_stride_bytes;
  }
}

matrix_view packed_weights::view() {
  matrix_view packed = shape;
  packed.data = bytes.span().data();
  return packed;
}

bool packs(const op_table& ops, dtype type, std::int64_t columns) {
  return ops.packing.panel_bytes(type, columns) > 0;
}

double relative_difference(const std::vector<float>& a,
                           const std::vector<float>& b) {
  if (a.size() != b.size()) {
    return std::numeric_limits<double>::infinity();
  }
  double difference = 0;
  double magnitude = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::isnan(a[i]) != std::isnan(b[i])) {
      return std::numeric_limits<double>::infinity();
    }
    const double off = std::fabs(static_cast<double>(a[i]) - b[i]);
    difference = std::fmax(difference, off);
    magnitude = std::fmax(magnitude, std::fabs(b[i]));
  }
  return difference / (magnitude > 0 ? magnitude : 1);
}

bool same_bytes(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() &&
         std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

} // namespace sluice::test
