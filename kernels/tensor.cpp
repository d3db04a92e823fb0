// SPDX-License-Identifier: Apache-2.0
#include "kernels/tensor.hpp"

#include "kernels/check.hpp"

#include <iterator>

namespace sluice {

namespace {

struct format {
  std::string_view name;
  std::int64_t block_elements;
  std::size_t block_bytes;
  std::size_t tail_bytes = 0; // behind the blocks of a row
};

constexpr format formats[] = {
    {"f32", 1, 4},      {"f16", 1, 2},        {"bf16", 1, 2},
    {"q8_0", 32, 34},   {"q4_0", 32, 18},     {"i32", 1, 4},
    {"i8", 1, 1},       {"q4_1", 32, 20},     {"q5_0", 32, 22},
    {"q5_1", 32, 24},   {"q2_k", 256, 84},    {"q3_k", 256, 110},
    {"q4_k", 256, 144}, {"q5_k", 256, 176},   {"q6_k", 256, 210},
    {"iq4_nl", 32, 18}, {"iq4_xs", 256, 136}, {"mxfp4", 32, 17},
    {"w8a8", 1, 1, 4},  {"f8_e4m3", 1, 1},    {"fp8", 1, 1, 4},
};

const format& format_of(dtype type) {
  const auto index = static_cast<std::size_t>(type);
  require(index < std::size(formats),
          "tensor: unknown dtype; use a value of the enum");
  return formats[index];
}

} // namespace

std::int64_t block_elements(dtype type) {
  return format_of(type).block_elements;
}

std::size_t block_bytes(dtype type) {
  return format_of(type).block_bytes;
}

std::size_t row_bytes(dtype type, std::int64_t columns) {
  const format& f = format_of(type);
  require(columns >= 0 && columns % f.block_elements == 0,
          "row_bytes: a row must hold whole blocks; pad the row or choose a "
          "dtype whose block divides it");
  std::size_t bytes = 0;
  require(!__builtin_mul_overflow(
              static_cast<std::size_t>(columns / f.block_elements),
              f.block_bytes, &bytes) &&
              !__builtin_add_overflow(bytes, f.tail_bytes, &bytes),
          "row_bytes: the size overflows; check the tensor's shape");
  return bytes;
}

std::string_view name(dtype type) {
  return format_of(type).name;
}

} // namespace sluice
