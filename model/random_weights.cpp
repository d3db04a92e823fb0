// SPDX-License-Identifier: Apache-2.0
#include "model/random_weights.hpp"

#include "kernels/check.hpp"
#include "kernels/convert.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace sluice {

namespace {

constexpr std::size_t byte_sums = 4 * 255 + 1;
constexpr float f8_deviation = 100; // sums reach 3.5 times as far: below 448

/// Standard deviation of a sum of `terms` uniform integers 0 .. levels - 1.
float sum_deviation(int terms, int levels) {
  return std::sqrt(static_cast<float>(terms * (levels * levels - 1)) / 12);
}

std::vector<std::byte> encode_sums(dtype type, float deviation) {
  std::vector<float> values(byte_sums);
  const float unit = deviation / sum_deviation(4, 256);
  for (std::size_t sum = 0; sum < byte_sums; ++sum)
    values[sum] = (static_cast<float>(sum) - 510) * unit;
  std::vector<std::byte> encoded(byte_sums * block_bytes(type));
  quantize_row(type, values, encoded.data());
  return encoded;
}

constexpr std::size_t pool_elements = 1 << 16;

/// Close to normal: sums of 4 uniform numbers.
std::vector<std::byte> make_pool(dtype type, float deviation,
                                 random_words& words) {
  std::vector<float> values(pool_elements);
  const float unit = deviation / sum_deviation(4, 1 << 12);
  for (auto& value : values) {
    const auto word = words.next();
    const auto sum = (word & 0xfff) + (word >> 12 & 0xfff) +
                     (word >> 24 & 0xfff) + (word >> 36 & 0xfff);
    value = (static_cast<float>(sum) - 2 * 4095) * unit;
  }
  std::vector<std::byte> pool(row_bytes(type, pool_elements));
  quantize_row(type, values, pool.data());
  return pool;
}

} // namespace

random_weights::random_weights(dtype type, float deviation, std::uint64_t key)
    : words_(key), type_(type) {
  require(type != dtype::w8a8 && type != dtype::fp8,
          "random_weights: w8a8 and fp8 are two tensors; fill i8 or f8_e4m3 "
          "and give it i8_scale or f8_scale");
  if (type == dtype::i8)
    return;
  if (block_elements(type) == 1) {
    encoded_sum_ =
        encode_sums(type, type == dtype::f8_e4m3 ? f8_deviation : deviation);
    return;
  }
  if (type != dtype::q4_0 && type != dtype::q8_0) {
    pool_ = make_pool(type, deviation, words_);
    return;
  }
  const int levels = type == dtype::q4_0 ? 8 : 128;
  const auto scale = f32_to_f16(deviation / sum_deviation(2, levels));
  std::memcpy(scale_.data(), &scale, sizeof scale);
}

float random_weights::i8_scale(float deviation) {
  return deviation / sum_deviation(2, 128);
}

float random_weights::f8_scale(float deviation) {
  return deviation / f8_deviation;
}

void random_weights::fill(std::span<std::byte> out) {
  require(out.size() % block_bytes(type_) == 0,
          "random_weights::fill: give room for whole blocks");
  if (type_ == dtype::q8_0)
    fill_q8_0(out);
  else if (type_ == dtype::q4_0)
    fill_q4_0(out);
  else if (type_ == dtype::i8)
    fill_i8(out);
  else if (!pool_.empty())
    fill_from_pool(out);
  else
    fill_floats(out);
}

void random_weights::fill_floats(std::span<std::byte> out) {
  const std::size_t size = block_bytes(type_);
  std::uint64_t word = 0;
  for (std::size_t at = 0, i = 0; at < out.size(); at += size, ++i) {
    word = i % 2 == 0 ? words_.next() : word >> 32;
    const auto sum = (word & 0xff) + (word >> 8 & 0xff) + (word >> 16 & 0xff) +
                     (word >> 24 & 0xff);
    std::memcpy(&out[at], &encoded_sum_[sum * size], size);
  }
}

/// 8 sums of two uniform numbers 0..127, less 127.
void random_weights::draw_i8(std::byte* out) {
  const std::uint64_t low = 0x7f7f7f7f7f7f7f7f;
  const std::uint64_t sums =
      (words_.next() & low) + (words_.next() & low); // each byte <= 254
  for (int i = 0; i < 8; ++i)
    out[i] = static_cast<std::byte>((sums >> (8 * i) & 0xff) - 127);
}

void random_weights::fill_i8(std::span<std::byte> out) {
  std::byte last[8];
  while (out.size() >= 8) {
    draw_i8(out.data());
    out = out.subspan(8);
  }
  draw_i8(last);
  std::copy_n(last, out.size(), out.data());
}

void random_weights::fill_from_pool(std::span<std::byte> out) {
  const std::size_t size = block_bytes(type_);
  const std::size_t blocks = pool_.size() / size; // a power of two
  for (std::size_t at = 0; at < out.size(); at += size)
    std::memcpy(&out[at], &pool_[words_.next() % blocks * size], size);
}

void random_weights::fill_q8_0(std::span<std::byte> out) {
  for (std::byte* block = out.data(); block < out.data() + out.size();) {
    std::memcpy(block, scale_.data(), scale_.size());
    block += scale_.size();
    for (int group = 0; group < 4; ++group, block += 8)
      draw_i8(block);
  }
}

/// Nibbles are 1 plus sums of two uniform numbers 0..7: 8 stands for zero.
void random_weights::fill_q4_0(std::span<std::byte> out) {
  for (std::byte* block = out.data(); block < out.data() + out.size();) {
    std::memcpy(block, scale_.data(), scale_.size());
    block += scale_.size();
    for (int group = 0; group < 2; ++group, block += 8) {
      const std::uint64_t low = 0x7777777777777777;
      const std::uint64_t nibbles =
          (words_.next() & low) + (words_.next() & low) + 0x1111111111111111;
      std::memcpy(block, &nibbles, sizeof nibbles);
    }
  }
}

} // namespace sluice
