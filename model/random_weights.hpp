// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/tensor.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace sluice {

/// A counter-based generator: word i depends on the key and i alone.
/// @source Steele, Lea, Flood 2014, "Fast splittable pseudorandom number
///         generators": the SplitMix64 output function.
class random_words {
public:
  explicit random_words(std::uint64_t key) : state_(key) {}

  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

private:
  std::uint64_t state_;
};

/// Invents packed weights of mean 0 and a given standard deviation, in the
/// storage format itself, so that gigabytes take seconds: the quants of q8_0,
/// q4_0 and i8 are drawn, blocks of other formats are drawn from a pool of
/// 65,536 normal weights that were quantised once.
class random_weights {
public:
  /// @param type       any weight type but w8a8 and fp8, or i8 or f8_e4m3, of
  ///                   which the elements are meant to be multiplied by
  ///                   `i8_scale` or `f8_scale`.
  /// @param deviation  standard deviation of the elements, > 0.
  random_weights(dtype type, float deviation, std::uint64_t key);

  /// What makes int8 quants weights of a standard deviation.
  static float i8_scale(float deviation);
  static float f8_scale(float deviation);

  /// Fills whole blocks.
  /// @throws contract_violation for part of a block.
  void fill(std::span<std::byte> out);

private:
  void fill_floats(std::span<std::byte> out);
  void fill_q8_0(std::span<std::byte> out);
  void fill_q4_0(std::span<std::byte> out);
  void fill_i8(std::span<std::byte> out);
  void fill_from_pool(std::span<std::byte> out);
  void draw_i8(std::byte* out);

  random_words words_;
  dtype type_;
  std::array<std::byte, 2> scale_{};   ///< of every block, f16
  std::vector<std::byte> encoded_sum_; ///< element for each sum of 4 bytes
  std::vector<std::byte> pool_;        ///< blocks of the other formats
};

} // namespace sluice
