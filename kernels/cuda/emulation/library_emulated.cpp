// SPDX-License-Identifier: Apache-2.0
#include "kernels/convert.hpp"
#include "kernels/cuda/emulation/launch_emulated.hpp"
#include "kernels/cuda/matmul_library.hpp"

#include <cstring>

// The library's products on the CPU, plainly, so that what is done around them
// can be tested.

namespace sluice::cuda {
namespace {

float value_at(dtype type, const std::byte* row, std::int64_t i) {
  std::uint16_t bits = 0;
  std::memcpy(&bits, row + 2 * i, sizeof bits);
  return type == dtype::f16 ? f16_to_f32(bits) : bf16_to_f32(bits);
}

float dot(dtype type, const std::byte* a, const std::byte* b,
          std::int64_t columns) {
  double sum = 0;
  for (std::int64_t k = 0; k < columns; ++k)
    sum += double{value_at(type, a, k)} * value_at(type, b, k);
  return static_cast<float>(sum);
}

std::int32_t dot_i8(const std::byte* a, const std::byte* b,
                    std::int64_t columns) {
  std::int32_t sum = 0;
  for (std::int64_t k = 0; k < columns; ++k)
    sum += static_cast<std::int8_t>(a[k]) * static_cast<std::int8_t>(b[k]);
  return sum;
}

void multiply(const library_product& all) {
  const auto bytes = all.columns * (all.type == dtype::i8 ? 1 : 2);
  for (std::int64_t token = 0; token < all.tokens; ++token)
    for (std::int64_t row = 0; row < all.rows; ++row) {
      const auto* x = all.x + token * bytes;
      const auto* weight = all.weight + row * bytes;
      auto* out = all.out + token * all.out_stride + row;
      if (all.type == dtype::i8) {
        const auto sum = dot_i8(x, weight, all.columns);
        std::memcpy(out, &sum, sizeof sum);
      } else {
        *out = dot(all.type, x, weight, all.columns);
      }
    }
}

} // namespace

bool start_library(const library_product& product, stream& in) {
  emulation::enqueue(in, [product] { multiply(product); });
  return true;
}

void forget_library() noexcept {}

std::string library_name() {
  return "emulated";
}

} // namespace sluice::cuda
