// SPDX-License-Identifier: Apache-2.0
#include "tests/kernels/cuda/row_fixture.hpp"

#include "kernels/convert.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <span>

namespace sluice::test {

namespace {

std::size_t element_bytes(dtype type) {
  return is_scaled(type) ? 1 : 2;
}

std::vector<float> padded(const std::vector<float>& values,
                          std::int64_t columns, std::int64_t stride) {
  const auto width = static_cast<std::size_t>(columns);
  const auto rows = values.size() / width;
  std::vector<float> out(rows * static_cast<std::size_t>(stride), not_a_number);
  for (std::size_t r = 0; r < rows; ++r)
    std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(r * width), width,
                out.begin() + static_cast<std::ptrdiff_t>(r) * stride);
  return out;
}

float step_of(dtype type, float wanted, float scale) {
  if (type == dtype::i8)
    return scale * 0.5f;
  if (type == dtype::f8_e4m3)
    return std::max(std::abs(wanted) * 0x1p-4f, scale * 0x1p-10f);
  return std::abs(wanted) * (type == dtype::bf16 ? 0x1p-8f : 0x1p-11f);
}

} // namespace

std::vector<float> uniform_floats(std::size_t count, std::uint32_t seed,
                                  float scale) {
  std::mt19937 chance{seed};
  std::uniform_real_distribution<float> any{-scale, scale};
  std::vector<float> values(count);
  std::generate(values.begin(), values.end(), [&] { return any(chance); });
  return values;
}

device_matrix::device_matrix(cuda::stream& in, std::int64_t columns,
                             std::vector<float> values, std::int64_t padding)
    : columns_{columns}, stride_{columns + padding}, host_{std::move(values)},
      device_{in, padded(host_, columns, stride_)} {}

device_matrix::device_matrix(cuda::stream& in, std::int64_t rows,
                             std::int64_t columns)
    : device_matrix{in, columns,
                    std::vector<float>(static_cast<std::size_t>(rows * columns),
                                       not_a_number)} {}

cuda::device_rows device_matrix::view() const {
  return view(0, static_cast<std::int64_t>(host_.size()) / columns_);
}

cuda::device_rows device_matrix::view(std::int64_t first,
                                      std::int64_t count) const {
  return {device_.data() + first * stride_, count, columns_, stride_};
}

activations device_matrix::host() {
  return {host_.data(), static_cast<std::int64_t>(host_.size()) / columns_,
          columns_, columns_};
}

std::vector<float> device_matrix::values() const {
  const auto all = device_.values();
  const auto rows = host_.size() / static_cast<std::size_t>(columns_);
  std::vector<float> out;
  for (std::size_t r = 0; r < rows; ++r) {
    const auto first = all.begin() + static_cast<std::ptrdiff_t>(r) * stride_;
    out.insert(out.end(), first, first + columns_);
  }
  return out;
}

device_operand::device_operand(cuda::stream& in, dtype type, std::int64_t rows,
                               std::int64_t columns)
    : type_{type}, rows_{rows}, columns_{columns},
      data_{in, static_cast<std::size_t>(rows * columns) * element_bytes(type)},
      scales_{in, static_cast<std::size_t>(rows)} {}

cuda::operand device_operand::view() const {
  return view(0, rows_);
}

cuda::operand device_operand::view(std::int64_t first,
                                   std::int64_t count) const {
  const auto skipped =
      static_cast<std::size_t>(first * columns_) * element_bytes(type_);
  return {.data = data_.data() + skipped,
          .scales = is_scaled(type_) ? scales_.data() + first : nullptr,
          .type = type_,
          .rows = count,
          .columns = columns_};
}

std::vector<float> device_operand::values() const {
  const auto data = data_.values();
  const auto all_scales = scales_.values();
  std::vector<float> out(static_cast<std::size_t>(rows_ * columns_));
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (is_scaled(type_)) {
      out[i] = (type_ == dtype::i8
                    ? static_cast<float>(static_cast<std::int8_t>(data[i]))
                    : f8_e4m3_to_f32(std::to_integer<std::uint8_t>(data[i]))) *
               all_scales[i / static_cast<std::size_t>(columns_)];
      continue;
    }
    std::uint16_t bits = 0;
    std::memcpy(&bits, data.data() + 2 * i, 2);
    out[i] = type_ == dtype::bf16 ? bf16_to_f32(bits) : f16_to_f32(bits);
  }
  return out;
}

void check_rounded(const device_operand& out, const std::vector<float>& wanted,
                   std::int64_t columns) {
  const auto type = out.view().type;
  const auto values = out.values();
  const auto scales = out.scales();
  BOOST_TEST_REQUIRE(values.size() == wanted.size());
  const auto width = static_cast<std::size_t>(columns);
  for (std::size_t first = 0; first < wanted.size(); first += width) {
    const std::span<const float> row{wanted.data() + first, width};
    const bool finite = std::all_of(row.begin(), row.end(),
                                    [](float x) { return std::isfinite(x); });
    if (is_scaled(type) && !finite) {
      BOOST_TEST(std::isnan(scales[first / width]));
      continue;
    }
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < width; ++i) {
      const float found = values[first + i];
      const float slack = std::abs(row[i]) * 2e-5f + 1e-7f;
      const float most =
          step_of(type, row[i], scales[first / width]) * 1.001f + slack;
      wrong += std::isfinite(row[i]) ? !(std::abs(found - row[i]) <= most)
                                     : std::isfinite(found);
    }
    BOOST_TEST(wrong == 0u, wrong << " of " << width << " elements of row "
                                  << first / width << " are wrong");
  }
}

} // namespace sluice::test
