// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/kernels/float_buffer.hpp"

#include <algorithm>

namespace sluice::bench {
namespace {

std::uint64_t bytes_of(std::int64_t rows, std::int64_t columns) {
  return static_cast<std::uint64_t>(rows * columns) * sizeof(float);
}

} // namespace

float_buffer::float_buffer(std::int64_t rows, std::int64_t columns,
                           std::uint64_t least_bytes)
    : rows_{rows}, columns_{columns}, count_{std::max<std::size_t>(
                                          1, least_bytes /
                                                 bytes_of(rows, columns))},
      memory_{count_ * bytes_of(rows, columns), "benchmark activations"} {
  auto* values = reinterpret_cast<float*>(memory_.data());
  std::uint32_t state = 1; // a linear congruence: any spread-out values will do
  for (std::size_t i = 0; i < memory_.bytes() / sizeof(float); ++i) {
    state = state * 1664525 + 1013904223;
    values[i] = static_cast<float>(state >> 8) / (1 << 23) - 1;
  }
}

activations float_buffer::next() {
  auto* data = reinterpret_cast<float*>(memory_.data()) +
               static_cast<std::int64_t>(next_++ % count_) * rows_ * columns_;
  return {data, rows_, columns_, columns_};
}

} // namespace sluice::bench
