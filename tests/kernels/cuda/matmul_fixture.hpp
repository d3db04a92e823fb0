// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/ops.hpp"
#include "tests/kernels/cuda/device_array.hpp"
#include "tests/kernels/cuda/weight_fixture.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <vector>

// A matmul on the device, of random values.

namespace sluice::test {

inline bool same_bits(const std::vector<float>& a,
                      const std::vector<float>& b) {
  return a.size() == b.size() &&
         std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

/// Rows of x on the host, as a form wants them.
struct operand_rows {
  operand_rows(dtype type, std::int64_t rows, std::int64_t columns,
               std::uint32_t seed)
      : type{type}, rows{rows}, columns{columns},
        row_size{static_cast<std::size_t>(columns) * (is_scaled(type) ? 1 : 2)},
        bytes(static_cast<std::size_t>(rows) * row_size) {
    const auto values = uniform_floats(rows * columns, seed);
    for (std::size_t i = 0; i < values.size(); ++i)
      put(i, values[i]);
    for (std::int64_t m = 0; m < rows; ++m)
      scales.push_back(0.01f + 0.001f * static_cast<float>(m));
  }

  float widened(std::int64_t m, std::size_t k) const {
    const auto i = static_cast<std::size_t>(m * columns) + k;
    const auto scale = scales[static_cast<std::size_t>(m)];
    if (type == dtype::i8)
      return static_cast<float>(static_cast<std::int8_t>(bytes[i])) * scale;
    if (type == dtype::f8_e4m3)
      return f8_e4m3_to_f32(std::to_integer<std::uint8_t>(bytes[i])) * scale;
    std::uint16_t bits;
    std::memcpy(&bits, &bytes[2 * i], sizeof bits);
    return type == dtype::f16 ? f16_to_f32(bits) : bf16_to_f32(bits);
  }

  /// Puts a NaN into a row.
  void spoil(std::int64_t m) {
    constexpr auto nan = std::numeric_limits<float>::quiet_NaN();
    if (is_scaled(type))
      scales[static_cast<std::size_t>(m)] = nan;
    else
      put(static_cast<std::size_t>(m * columns + 5), nan);
  }

  dtype type;
  std::int64_t rows;
  std::int64_t columns;
  std::size_t row_size;
  std::vector<std::byte> bytes;
  std::vector<float> scales;

private:
  void put(std::size_t i, float value) {
    if (type == dtype::i8) {
      bytes[i] = static_cast<std::byte>(static_cast<int>(value * 127));
      return;
    }
    if (type == dtype::f8_e4m3) {
      bytes[i] = std::byte{f32_to_f8_e4m3(value * 448)};
      return;
    }
    const auto bits =
        type == dtype::f16 ? f32_to_f16(value) : f32_to_bf16(value);
    std::memcpy(&bytes[2 * i], &bits, sizeof bits);
  }
};

struct matmul_problem;

/// The arguments of one call, in device memory.
struct matmul_call {
  matmul_call(cuda::stream& in, std::span<const matmul_problem> problems,
              std::int64_t first, std::int64_t count, bool shared,
              std::int64_t stride);

  std::vector<float> out(std::size_t i) const { return outs[i].values(); }

  std::vector<device_array<std::byte>> weights;
  std::vector<device_array<float>> biases;
  std::vector<device_array<float>> outs;
  std::vector<device_array<std::byte>> x; // one
  std::vector<device_array<float>> scales;
  std::vector<device_array<std::byte>> workspace;
  std::vector<cuda::device_projection> projections;
  cuda::matmul_args args;
};

struct matmul_problem {
  matmul_problem(dtype type, std::int64_t m, std::int64_t n, std::int64_t k)
      : weight{type, n, k, 11}, x{cuda::operand_type(cuda::form_of(type)), m, k,
                                  7},
        bias{uniform_floats(n, 5)}, packed{weight.packed()} {}

  /// Rows first .. first + count - 1 of x, with a workspace or without.
  std::vector<float> run(std::int64_t first, std::int64_t count,
                         bool shared = true) const {
    const auto stride = (weight.rows + 3) / 4 * 4;
    const auto padded = run_padded(stride, first, count, shared);
    std::vector<float> out;
    for (std::int64_t m = 0; m < count; ++m)
      out.insert(out.end(), padded.begin() + m * stride,
                 padded.begin() + m * stride + weight.rows);
    return out;
  }

  std::vector<float> run_padded(std::int64_t stride) const {
    return run_padded(stride, 0, x.rows, true);
  }

  /// Whether the last run left its workspace's counters at 0.
  bool workspace_is_clean() const {
    return std::all_of(counters.begin(), counters.end(),
                       [](std::byte b) { return b == std::byte{0}; });
  }

  file_weight weight;
  operand_rows x;
  std::vector<float> bias;
  std::vector<std::byte> packed;
  cuda::determinism mode = cuda::determinism::strict;
  mutable std::vector<std::byte> counters;

private:
  std::vector<float> run_padded(std::int64_t stride, std::int64_t first,
                                std::int64_t count, bool shared) const {
    cuda::stream work;
    matmul_call call{work, {this, 1}, first, count, shared, stride};
    cuda::matmul(call.args, work);
    const auto out = call.out(0);
    if (shared)
      counters = call.workspace[0].values();
    counters.resize(std::min<std::size_t>(counters.size(), 4096));
    return out;
  }
};

inline matmul_call::matmul_call(cuda::stream& in,
                                std::span<const matmul_problem> problems,
                                std::int64_t first, std::int64_t count,
                                bool shared, std::int64_t stride) {
  const auto& given = problems[0].x;
  const std::span<const std::byte> rows{
      given.bytes.data() + static_cast<std::size_t>(first) * given.row_size,
      static_cast<std::size_t>(count) * given.row_size};
  x.emplace_back(in, rows);
  scales.emplace_back(in, std::span<const float>{given.scales}.subspan(
                              static_cast<std::size_t>(first),
                              static_cast<std::size_t>(count)));
  std::int64_t outputs = 0;
  for (const auto& one : problems) {
    const auto n = one.weight.rows;
    const auto width = std::max(stride, (n + 3) / 4 * 4);
    weights.emplace_back(in, std::span<const std::byte>{one.packed});
    biases.emplace_back(in, std::span<const float>{one.bias});
    outs.emplace_back(in, static_cast<std::size_t>(count * width));
    outputs += n;
    projections.push_back(
        {.weight = {weights.back().bytes(), cuda::form_of(one.weight.type), n,
                    one.weight.columns},
         .bias = one.bias.empty() ? nullptr : biases.back().data(),
         .out = {outs.back().data(), count, n, width}});
  }
  args = {
      .x = {x[0].bytes(), scales[0].data(), given.type, count, given.columns},
      .projections = projections,
      .mode = problems[0].mode};
  if (shared) {
    args.workspace_bytes =
        cuda::matmul_workspace_bytes(count, outputs, args.mode);
    workspace.emplace_back(in, args.workspace_bytes);
    in.fill(workspace[0].data(), 0, args.workspace_bytes);
    in.wait();
    args.workspace = workspace[0].bytes();
  }
}

/// All problems' results of one call over the first one's x; each one's own.
inline std::vector<std::vector<float>>
run_together(std::span<const matmul_problem> problems) {
  cuda::stream work;
  matmul_call call{work, problems, 0, problems[0].x.rows, true, 0};
  cuda::matmul(call.args, work);
  std::vector<std::vector<float>> out;
  for (std::size_t i = 0; i < problems.size(); ++i) {
    const auto padded = call.out(i);
    const auto& view = call.projections[i].out;
    out.emplace_back();
    for (std::int64_t m = 0; m < view.rows; ++m)
      out.back().insert(out.back().end(), padded.begin() + m * view.row_stride,
                        padded.begin() + m * view.row_stride + view.columns);
  }
  return out;
}

inline std::vector<std::vector<float>>
run_apart(std::span<const matmul_problem> problems) {
  std::vector<std::vector<float>> out;
  for (const auto& one : problems)
    out.push_back(one.run(0, one.x.rows));
  return out;
}

} // namespace sluice::test
