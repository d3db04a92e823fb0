// SPDX-License-Identifier: Apache-2.0
#pragma once

// What simt.hpp promises, on the CPU. Sums of a matrix product are taken in
// double and rounded once, which is close to, not the same as, a tensor core.

#include "kernels/convert.hpp"
#include "kernels/cuda/emulation/block.hpp"

#include <bit>
#include <cmath>
#include <cstring>

#define SLUICE_KERNEL(...) void
#define SLUICE_CONSTANT const
#define SLUICE_DEVICE inline
#define SLUICE_UNROLL
#define SLUICE_ROLLED

namespace sluice::cuda {

inline int block_x() {
  return emulation::view().block_x;
}
inline int block_y() {
  return emulation::view().block_y;
}
inline int block_z() {
  return emulation::view().block_z;
}
inline int grid_x() {
  return emulation::view().grid_x;
}
inline int thread() {
  return emulation::view().thread;
}
inline int threads() {
  return emulation::view().threads;
}
inline int lane() {
  return thread() % warp_lanes;
}
inline int warp() {
  return thread() / warp_lanes;
}

template <class T>
T* shared_memory() {
  return reinterpret_cast<T*>(emulation::view().shared);
}

inline void sync_block() {
  emulation::wait_for_block();
}
inline void sync_warp() {
  emulation::wait_for_warp();
}

template <class T>
T shuffle(T value, int from) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8);
  emulation::words own{};
  std::memcpy(own.data(), &value, sizeof value);
  const auto& all = emulation::exchange(own);
  std::memcpy(&value, all[static_cast<std::size_t>(from) % 32].data(),
              sizeof value);
  return value;
}
template <class T>
T shuffle_xor(T value, int mask) {
  return shuffle(value, lane() ^ mask);
}
template <class T>
T shuffle_down(T value, int delta) {
  const auto from = lane() + delta;
  return shuffle(value, from < warp_lanes ? from : lane());
}
inline std::uint32_t ballot(bool yes) {
  const auto& all = emulation::exchange({yes ? 1u : 0u});
  std::uint32_t bits = 0;
  for (std::size_t i = 0; i < 32; ++i)
    bits |= all[i][0] << i;
  return bits;
}

inline void copy_async16(void* shared, const void* global, bool valid) {
  emulation::add_copy(shared, global, valid);
}
inline void copy_async_commit() {
  emulation::commit_copies();
}
template <int Youngest>
void copy_async_wait() {
  emulation::wait_copies(Youngest);
}

namespace emulation {

// A lane's row addresses, as words.
inline words address(const void* row) {
  const auto bits = reinterpret_cast<std::uintptr_t>(row);
  if (bits % 16 != 0)
    throw kernel_error{"a row of a matrix is not 16-byte aligned"};
  return {static_cast<std::uint32_t>(bits),
          static_cast<std::uint32_t>(bits >> 32)};
}
inline std::uint32_t element(const warp_words& all, std::size_t matrix, int row,
                             int column) {
  const auto& words = all[8 * matrix + static_cast<std::size_t>(row)];
  const auto* from = reinterpret_cast<const std::uint16_t*>(
      std::uintptr_t{words[0]} | std::uintptr_t{words[1]} << 32);
  return from[column];
}

// Fragments of m16n8k16: element (row, k) of a and (k, column) of b.
inline std::uint16_t a16(const warp_words& all, int row, int k) {
  const auto lane = static_cast<std::size_t>(row % 8 * 4 + k % 8 / 2);
  const auto reg = static_cast<std::size_t>(row / 8 + k / 8 * 2);
  return static_cast<std::uint16_t>(all[lane][reg] >> (k % 2 * 16));
}
inline std::uint16_t b16(const warp_words& all, int k, int column) {
  const auto lane = static_cast<std::size_t>(column * 4 + k % 8 / 2);
  const auto reg = static_cast<std::size_t>(4 + k / 8);
  return static_cast<std::uint16_t>(all[lane][reg] >> (k % 2 * 16));
}
// Of m16n8k32 with bytes.
inline std::int8_t a8(const warp_words& all, int row, int k) {
  const auto lane = static_cast<std::size_t>(row % 8 * 4 + k % 16 / 4);
  const auto reg = static_cast<std::size_t>(row / 8 + k / 16 * 2);
  return static_cast<std::int8_t>(all[lane][reg] >> (k % 4 * 8));
}
inline std::int8_t b8(const warp_words& all, int k, int column) {
  const auto lane = static_cast<std::size_t>(column * 4 + k % 16 / 4);
  const auto reg = static_cast<std::size_t>(4 + k / 16);
  return static_cast<std::int8_t>(all[lane][reg] >> (k % 4 * 8));
}

template <class Product, class Sum>
void multiply(Sum (&d)[4], const std::uint32_t (&a)[4],
              const std::uint32_t (&b)[2], Product product) {
  const auto& all = exchange({a[0], a[1], a[2], a[3], b[0], b[1]});
  for (int i = 0; i < 4; ++i) {
    const auto row = lane() / 4 + i / 2 * 8;
    const auto column = lane() % 4 * 2 + i % 2;
    d[i] = static_cast<Sum>(d[i] + product(all, row, column));
  }
}

template <class Widen>
void multiply16(float (&d)[4], const std::uint32_t (&a)[4],
                const std::uint32_t (&b)[2], Widen widen) {
  multiply(d, a, b, [&](const warp_words& all, int row, int column) {
    double sum = 0;
    for (int k = 0; k < 16; ++k)
      sum += double{widen(a16(all, row, k))} * widen(b16(all, k, column));
    return sum;
  });
}

template <class Round, class Widen>
std::uint32_t pair_fma(std::uint32_t a, std::uint32_t b, std::uint32_t c,
                       Round round, Widen widen) {
  std::uint32_t d = 0;
  for (int shift = 0; shift < 32; shift += 16) {
    const auto part = [&](std::uint32_t x) {
      return double{widen(static_cast<std::uint16_t>(x >> shift))};
    };
    const auto sum = static_cast<float>(part(a) * part(b) + part(c));
    d |= std::uint32_t{round(sum)} << shift;
  }
  return d;
}

} // namespace emulation

inline void load_matrices(std::uint32_t (&r)[4], const void* row) {
  const auto& all = emulation::exchange(emulation::address(row));
  for (std::size_t i = 0; i < 4; ++i)
    r[i] = emulation::element(all, i, lane() / 4, lane() % 4 * 2) |
           emulation::element(all, i, lane() / 4, lane() % 4 * 2 + 1) << 16;
  sync_warp();
}
inline void load_matrices_transposed(std::uint32_t (&r)[4], const void* row) {
  const auto& all = emulation::exchange(emulation::address(row));
  for (std::size_t i = 0; i < 4; ++i)
    r[i] = emulation::element(all, i, lane() % 4 * 2, lane() / 4) |
           emulation::element(all, i, lane() % 4 * 2 + 1, lane() / 4) << 16;
  sync_warp();
}

inline std::uint32_t bits_of(float x) {
  return std::bit_cast<std::uint32_t>(x);
}
inline float float_of(std::uint32_t bits) {
  return std::bit_cast<float>(bits);
}
inline std::uint16_t bf16_of(float x) {
  return f32_to_bf16(x);
}
inline float f32_of_bf16(std::uint16_t x) {
  return bf16_to_f32(x);
}
inline std::uint16_t f16_of(float x) {
  return f32_to_f16(x);
}
inline float f32_of_f16(std::uint16_t x) {
  return f16_to_f32(x);
}
inline std::uint32_t bf16_pair(float low, float high) {
  return bf16_of(low) | std::uint32_t{bf16_of(high)} << 16;
}
inline std::uint32_t f16_pair(float low, float high) {
  return f16_of(low) | std::uint32_t{f16_of(high)} << 16;
}
inline std::uint16_t e4m3_pair(float low, float high) {
  return static_cast<std::uint16_t>(f32_to_f8_e4m3(low) | f32_to_f8_e4m3(high)
                                                              << 8);
}
inline std::uint32_t f16_pair_of_e4m3(std::uint16_t pair) {
  return f16_pair(f8_e4m3_to_f32(static_cast<std::uint8_t>(pair)),
                  f8_e4m3_to_f32(static_cast<std::uint8_t>(pair >> 8)));
}
inline std::uint32_t half2_fma(std::uint32_t a, std::uint32_t b,
                               std::uint32_t c) {
  return emulation::pair_fma(a, b, c, f16_of, f32_of_f16);
}
inline std::uint32_t bf162_fma(std::uint32_t a, std::uint32_t b,
                               std::uint32_t c) {
  return emulation::pair_fma(a, b, c, bf16_of, f32_of_bf16);
}

inline void multiply_bf16(float (&d)[4], const std::uint32_t (&a)[4],
                          const std::uint32_t (&b)[2]) {
  emulation::multiply16(d, a, b, f32_of_bf16);
}
inline void multiply_f16(float (&d)[4], const std::uint32_t (&a)[4],
                         const std::uint32_t (&b)[2]) {
  emulation::multiply16(d, a, b, f32_of_f16);
}
inline void multiply_s8(std::int32_t (&d)[4], const std::uint32_t (&a)[4],
                        const std::uint32_t (&b)[2]) {
  using namespace emulation;
  multiply(d, a, b, [](const warp_words& all, int row, int column) {
    std::int32_t sum = 0;
    for (int k = 0; k < 32; ++k)
      sum += std::int32_t{a8(all, row, k)} * b8(all, k, column);
    return sum;
  });
}

// The layout of bytes is that of int8.
inline void multiply_e4m3(float (&d)[4], const std::uint32_t (&a)[4],
                          const std::uint32_t (&b)[2]) {
  using namespace emulation;
  const auto widen = [](std::int8_t byte) {
    return double{f8_e4m3_to_f32(static_cast<std::uint8_t>(byte))};
  };
  multiply(d, a, b, [&](const warp_words& all, int row, int column) {
    double sum = 0;
    for (int k = 0; k < 32; ++k)
      sum += widen(a8(all, row, k)) * widen(b8(all, k, column));
    return sum;
  });
}

inline std::int32_t dot4(std::uint32_t a, std::uint32_t b, std::int32_t c) {
  for (int shift = 0; shift < 32; shift += 8)
    c += std::int32_t{static_cast<std::int8_t>(a >> shift)} *
         static_cast<std::int8_t>(b >> shift);
  return c;
}
inline float exp2_fast(float x) {
  return std::exp2(x);
}
inline float exp_fast(float x) {
  return std::exp(x);
}
inline float log_fast(float x) {
  return std::log(x);
}
inline float inverse_sqrt(float x) {
  return 1.0f / std::sqrt(x);
}
inline double cosine(double x) {
  return std::cos(x);
}
inline double sine(double x) {
  return std::sin(x);
}
inline float larger_number(float a, float b) {
  return std::fmax(a, b);
}
inline float fma(float a, float b, float c) {
  return std::fma(a, b, c);
}
inline double fma(double a, double b, double c) {
  return std::fma(a, b, c);
}
template <class T>
T min(T a, T b) {
  return a < b ? a : b;
}
template <class T>
T max(T a, T b) {
  return a < b ? b : a;
}
inline float multiply_alone(float a, float b) {
  return a * b; // compiled without contraction
}
inline double exp_double(double x) {
  return std::exp(x);
}
inline double log_double(double x) {
  return std::log(x);
}
inline std::int32_t round_to_int(float x) {
  return static_cast<std::int32_t>(std::nearbyint(x));
}
inline std::uint32_t multiply_high(std::uint32_t a, std::uint32_t b) {
  return static_cast<std::uint32_t>(std::uint64_t{a} * b >> 32);
}
inline std::uint32_t permute_bytes(std::uint32_t a, std::uint32_t b,
                                   std::uint32_t selector) {
  const auto both = std::uint64_t{b} << 32 | a;
  std::uint32_t out = 0;
  for (int i = 0; i < 4; ++i) {
    const auto choice = selector >> (4 * i) & 0xf;
    auto byte = static_cast<std::uint32_t>(both >> (choice & 7) * 8) & 0xff;
    if (choice & 8)
      byte = byte & 0x80 ? 0xff : 0;
    out |= byte << (8 * i);
  }
  return out;
}
template <int Table>
std::uint32_t logic3(std::uint32_t a, std::uint32_t b, std::uint32_t c) {
  std::uint32_t out = 0;
  for (int i = 0; i < 32; ++i) {
    const auto row = (a >> i & 1) << 2 | (b >> i & 1) << 1 | (c >> i & 1);
    out |= (static_cast<std::uint32_t>(Table) >> row & 1) << i;
  }
  return out;
}
inline words4 load_streaming(const words4* from) {
  return *from;
}
inline words4 load_fresh(const words4* from) {
  return *from;
}
// Blocks run one after the other and threads by turns.
inline std::int32_t atomic_add(std::int32_t* at, std::int32_t value) {
  const auto before = *at;
  *at = before + value;
  return before;
}
inline std::uint64_t atomic_add(std::uint64_t* at, std::uint64_t value) {
  const auto before = *at;
  *at = before + value;
  return before;
}
inline std::uint32_t atomic_or(std::uint32_t* at, std::uint32_t bits) {
  const auto before = *at;
  *at = before | bits;
  return before;
}
inline std::uint64_t atomic_max(std::uint64_t* at, std::uint64_t value) {
  const auto before = *at;
  *at = max(before, value);
  return before;
}
inline void memory_fence() {}
inline void wait_for_previous_kernel() {
  emulation::wait_for_grid();
}
inline void let_next_kernel_start() {}

} // namespace sluice::cuda
