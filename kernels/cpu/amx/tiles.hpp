// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cpu/simd.hpp"

#include <cstdint>

// The tile registers of AMX: eight matrices of up to 16 rows of 64 bytes. A
// product adds A [rows, k] times B [k / 4 or k / 2, 16 * that many] to C
// [rows, 16]; a line of a panel is one row of B.

namespace sluice::SLUICE_ISA::amx {

inline constexpr int tile_height = 16;

/// Shapes of the eight registers, as `ldtilecfg` reads them.
struct [[gnu::packed]] tile_shapes {
  std::uint8_t palette = 1;
  std::uint8_t start_row = 0;
  std::uint8_t reserved[14] = {};
  std::uint16_t row_bytes[16] = {};
  std::uint8_t rows[16] = {};

  void set(int tile, int height, int bytes) {
    rows[tile] = static_cast<std::uint8_t>(height);
    row_bytes[tile] = static_cast<std::uint16_t>(bytes);
  }
};
static_assert(sizeof(tile_shapes) == 64);

/// Keeps the calling thread's tiles in use while it lives. Tiles that are in
/// use make every switch of threads dearer, so they are released at the end.
class tile_session {
public:
  tile_session() = default;
  tile_session(const tile_session&) = delete;
  tile_session& operator=(const tile_session&) = delete;
  ~tile_session() { asm volatile("tilerelease"); }

  /// Sets the shapes; all registers are 0 afterwards. Takes 50 ns, so whoever
  /// changes nothing but the height asks for it first.
  void shape(const tile_shapes& shapes, int height) {
    asm volatile("ldtilecfg %0" : : "m"(shapes));
    height_ = height;
  }

  /// Rows of x of the shapes at hand; 0: none yet.
  int height() const { return height_; }

private:
  int height_ = 0;
};

// The compiler's own intrinsics are macros that want literal numbers and do not
// say that they read memory.

template <int Tile>
SLUICE_INLINE void zero_tile() {
  asm volatile("tilezero %%tmm%c0" : : "n"(Tile));
}

/// Lines of the tile's shape, `stride` bytes apart.
template <int Tile>
SLUICE_INLINE void load_tile(const void* from, std::int64_t stride) {
  asm volatile("tileloadd (%0,%1,1), %%tmm%c2"
               :
               : "r"(from), "r"(stride), "n"(Tile)
               : "memory");
}

template <int Tile>
SLUICE_INLINE void store_tile(void* to, std::int64_t stride) {
  asm volatile("tilestored %%tmm%c2, (%0,%1,1)"
               :
               : "r"(to), "r"(stride), "n"(Tile)
               : "memory");
}

/// C += A B of signed bytes, four k a line of B.
template <int C, int A, int B>
SLUICE_INLINE void multiply_bytes() {
  asm volatile("tdpbssd %%tmm%c2, %%tmm%c1, %%tmm%c0"
               :
               : "n"(C), "n"(A), "n"(B));
}

/// C += A B of bf16, two k a line of B.
template <int C, int A, int B>
SLUICE_INLINE void multiply_bf16s() {
  asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0"
               :
               : "n"(C), "n"(A), "n"(B));
}

} // namespace sluice::SLUICE_ISA::amx
