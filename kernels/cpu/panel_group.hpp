// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cpu/panel_layout.hpp"

// One group of a panel as the kernels read it.

namespace sluice::SLUICE_ISA {

/// A plane of `Bits` bits: four k's number j of a block, moved to bit `to`.
template <int Bits>
SLUICE_INLINE bytes plane_codes(const std::byte* block, int j, int to) {
  if constexpr (Bits == 8) {
    return load_line(block + j * line_bytes);
  } else {
    const bytes line = load_line(block + j % Bits * line_bytes);
    const int from = j / Bits * Bits;
    if (Bits == 4 && to == 0) {
      return from == 0 ? low_nibbles(line) : high_nibbles(line);
    }
    return move_bits(line, from, to, ((1 << Bits) - 1) << to);
  }
}

/// The codes of four k's number j of a block.
template <panel_format Format>
SLUICE_INLINE bytes packed_codes(const std::byte* block, int j) {
  bytes codes = plane_codes<Format.low_bits>(block, j, 0);
  if constexpr (Format.high_bits > 0) {
    const std::byte* high = block + Format.low_bits * line_bytes;
    codes =
        combine(codes, plane_codes<Format.high_bits>(high, j, Format.low_bits));
  }
  if constexpr (Format.table == code_table::iq4) {
    codes = look_up(iq4_codes, codes);
  } else if constexpr (Format.table == code_table::mxfp4) {
    codes = look_up(mxfp4_codes, codes);
  }
  return codes;
}

inline constexpr std::int64_t fetch_ahead = 2048; // bytes

/// Where a group lies. `codes` are packed, or unpacked to a byte a code.
template <panel_format Format, bool Unpacked>
struct panel_group {
  const std::byte* scales;
  const std::byte* codes;

  SLUICE_INLINE bytes line(int block, int j) const {
    if constexpr (Unpacked || Format.low_bits == 8) {
      return load_line(codes + (block * 8 + j) * line_bytes);
    } else {
      return packed_codes<Format>(
          codes + block * block_lines(Format) * line_bytes, j);
    }
  }

  // Fetches what follows a block at a distance that hides the memory's
  // latency.
  SLUICE_INLINE void fetch(int block,
                           std::int64_t distance = fetch_ahead) const {
    if constexpr (!Unpacked) {
      const std::byte* at =
          codes + block * block_lines(Format) * line_bytes + distance;
      for (int line = 0; line < block_lines(Format); ++line) {
        prefetch(at + line * line_bytes);
      }
    }
  }

  SLUICE_INLINE void fetch_scales() const {
    if constexpr (!Unpacked) {
      for (int i = 0; i < scale_bytes(Format.scales, group_blocks); i += 64) {
        prefetch(scales + fetch_ahead + i);
      }
    }
  }

  SLUICE_INLINE vec scale(int block) const {
    if constexpr (Format.scales == scale_kind::f16_per_32) {
      return load_f16(scales + 2 * panel_rows * block);
    } else if constexpr (Format.scales == scale_kind::e8m0_per_32) {
      return load_e8m0_half(scales + panel_rows * block);
    } else {
      return load_f16(scales + 4 * panel_rows * block);
    }
  }

  SLUICE_INLINE vec min(int block) const {
    return load_f16(scales + 4 * panel_rows * block + 2 * panel_rows);
  }

  SLUICE_INLINE vec super_scale() const { return load_f16(scales); }

  SLUICE_INLINE vec super_min() const {
    return load_f16(scales + 2 * panel_rows);
  }

  SLUICE_INLINE ints sub_scale(int sub) const {
    if constexpr (Format.scales == scale_kind::super_32_and_min) {
      return ints_of_u8(scales + (4 + sub) * panel_rows);
    } else if constexpr (Format.scales == scale_kind::super_16_and_min) {
      return low_half(ints_of_u8(scales + (4 + sub) * panel_rows));
    } else {
      return ints_of_i8(scales + (2 + sub) * panel_rows);
    }
  }

  SLUICE_INLINE ints sub_min(int sub) const {
    return high_half(ints_of_u8(scales + (4 + sub) * panel_rows));
  }

  SLUICE_INLINE const std::byte* min_pair(int pair) const {
    return scales + (12 + 2 * pair) * panel_rows;
  }
};

template <panel_format Format>
SLUICE_INLINE panel_group<Format, false> packed_group(const std::byte* start,
                                                      int blocks) {
  return {start, start + scale_bytes(Format.scales, blocks)};
}

/// Room for the codes of one group, a byte each.
struct unpacked_codes {
  alignas(64) std::byte lines[group_columns * panel_rows];
};

/// Unpacks a group's codes once for many rows of x. Codes of 8 bits stay
/// where they are.
template <panel_format Format>
SLUICE_INLINE panel_group<Format, true>
unpack(const panel_group<Format, false>& from, int blocks, unpacked_codes& to) {
  if constexpr (Format.low_bits == 8) {
    return {from.scales, from.codes};
  } else {
    for (int b = 0; b < blocks; ++b) {
#pragma GCC unroll 8
      for (int j = 0; j < 8; ++j) {
        store_line(to.lines + (b * 8 + j) * line_bytes, from.line(b, j));
      }
    }
    return {from.scales, to.lines};
  }
}

} // namespace sluice::SLUICE_ISA
