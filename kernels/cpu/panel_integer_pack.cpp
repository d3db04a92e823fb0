// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/panel_group.hpp"
#include "kernels/cpu/panel_integer.hpp"
#include "kernels/row_group.hpp"

namespace sluice::SLUICE_ISA {

namespace {

constexpr std::int64_t groups_of(std::int64_t columns) {
  return (columns + group_columns - 1) / group_columns;
}

// Sets `bits` bits of four codes (a byte each) in a plane's line.
SLUICE_INLINE void put(std::byte* plane, int bits, int j, std::int64_t row,
                       std::uint32_t codes) {
  std::byte* at = plane + j % bits * line_bytes + 4 * row;
  const std::uint32_t mask = 0x01010101u * ((1u << bits) - 1);
  std::uint32_t word;
  __builtin_memcpy(&word, at, sizeof word);
  word |= (codes & mask) << (j / bits * bits);
  __builtin_memcpy(at, &word, sizeof word);
}

template <panel_format Format>
void put_codes(const row_group& from, int blocks, std::int64_t row,
               std::byte* to) {
  for (int b = 0; b < blocks; ++b) {
    std::byte* block = to + b * block_lines(Format) * line_bytes;
    for (int j = 0; j < 8; ++j) {
      std::uint32_t codes;
      __builtin_memcpy(&codes, from.codes + b * 32 + j * 4, sizeof codes);
      put(block, Format.low_bits, j, row, codes);
      if constexpr (Format.high_bits > 0) {
        put(block + Format.low_bits * line_bytes, Format.high_bits, j, row,
            codes >> Format.low_bits);
      }
    }
  }
}

SLUICE_INLINE void put_u16(std::byte* at, std::uint16_t value) {
  __builtin_memcpy(at, &value, sizeof value);
}

// The scales of one row of a group; `to` is the group's start.
template <panel_format Format>
void put_scales(const row_group& from, int blocks, std::int64_t row,
                std::byte* to) {
  constexpr scale_kind kind = Format.scales;
  constexpr std::int64_t r = panel_rows;
  if constexpr (kind == scale_kind::f16_per_32 ||
                kind == scale_kind::f16_and_min_per_32) {
    constexpr bool has_min = kind == scale_kind::f16_and_min_per_32;
    for (int b = 0; b < blocks; ++b) {
      std::byte* at = to + b * (has_min ? 4 : 2) * r;
      put_u16(at + 2 * row, from.scales[b]);
      if (has_min) {
        put_u16(at + 2 * (r + row), from.mins[b]);
      }
    }
  } else if constexpr (kind == scale_kind::e8m0_per_32) {
    for (int b = 0; b < blocks; ++b) {
      to[b * r + row] = static_cast<std::byte>(from.scales[b]);
    }
  } else if constexpr (kind != scale_kind::row) {
    constexpr bool has_min = kind == scale_kind::super_32_and_min ||
                             kind == scale_kind::super_16_and_min;
    put_u16(to + 2 * row, from.d);
    if (has_min) {
      put_u16(to + 2 * (r + row), from.dmin);
    }
    std::byte* subs = to + (has_min ? 4 : 2) * r;
    constexpr int count =
        kind == scale_kind::super_32 || kind == scale_kind::super_32_and_min
            ? 8
            : 16;
    for (int s = 0; s < count; ++s) {
      const int high =
          kind == scale_kind::super_16_and_min ? from.sub_mins[s] << 4 : 0;
      subs[s * r + row] = static_cast<std::byte>(from.subs[s] | high);
    }
    if constexpr (kind == scale_kind::super_32_and_min) {
      for (int s = 0; s < 8; ++s) {
        subs[8 * r + (s / 2 * r + row) * 2 + s % 2] =
            static_cast<std::byte>(from.sub_mins[s]);
      }
    }
  }
}

template <panel_format Format>
std::size_t bytes_of(std::int64_t columns) {
  const std::int64_t groups = groups_of(columns);
  std::int64_t bytes = head_bytes(Format);
  if (groups > 0) {
    bytes += (groups - 1) * group_bytes(Format, group_blocks) +
             group_bytes(Format, blocks_of(columns, groups - 1));
  }
  return static_cast<std::size_t>((bytes + 63) / 64 * 64);
}

template <panel_format Format>
void pack(const matrix_view& rows, std::byte* panel) {
  __builtin_memset(panel, 0, bytes_of<Format>(rows.columns));
  for (std::int64_t row = 0; row < rows.rows; ++row) {
    const std::byte* from =
        rows.data + static_cast<std::size_t>(row) * rows.row_stride_bytes;
    std::byte* to = panel + head_bytes(Format);
    if constexpr (Format.scales == scale_kind::row) {
      __builtin_memcpy(panel + 4 * row, from + rows.columns, 4);
    }
    for (std::int64_t g = 0; g < groups_of(rows.columns); ++g) {
      const int blocks = blocks_of(rows.columns, g);
      row_group group;
      read_group(rows.type, from, rows.columns, g, group);
      put_scales<Format>(group, blocks, row, to);
      put_codes<Format>(group, blocks, row,
                        to + scale_bytes(Format.scales, blocks));
      to += group_bytes(Format, blocks);
    }
  }
}

SLUICE_INLINE float lane(vec x, std::int64_t row) {
  float all[panel_rows];
  store(all, x);
  return all[row];
}

// scale * code + offset, with the roundings of dequantize_row.
struct line_of_values {
  float scale;
  float offset;
};

template <panel_format Format>
line_of_values values_at(const panel_group<Format, false>& group, float head,
                         int k, std::int64_t row) {
  constexpr scale_kind kind = Format.scales;
  if constexpr (kind == scale_kind::row) {
    return {head, 0};
  } else if constexpr (kind == scale_kind::f16_and_min_per_32) {
    return {lane(group.scale(k / 32), row), lane(group.min(k / 32), row)};
  } else if constexpr (kind == scale_kind::f16_per_32 ||
                       kind == scale_kind::e8m0_per_32) {
    return {lane(group.scale(k / 32), row), 0};
  } else {
    constexpr bool of_16 =
        kind == scale_kind::super_16 || kind == scale_kind::super_16_and_min;
    const int sub = k / (of_16 ? 16 : 32);
    const float scale = lane(group.super_scale(), row) *
                        lane(to_float(group.sub_scale(sub)), row);
    if constexpr (kind == scale_kind::super_16_and_min) {
      return {scale, -(lane(group.super_min(), row) *
                       lane(to_float(group.sub_min(sub)), row))};
    } else if constexpr (kind == scale_kind::super_32_and_min) {
      const auto min =
          static_cast<float>(group.min_pair(sub / 2)[2 * row + sub % 2]);
      return {scale, -(lane(group.super_min(), row) * min)};
    } else {
      return {scale, 0};
    }
  }
}

template <panel_format Format>
void unpack_one(const std::byte* panel, std::int64_t columns, std::int64_t row,
                float* out) {
  constexpr int zero = Format.zero_exponent < 0 ? 0 : 1 << Format.zero_exponent;
  constexpr bool has_offset = Format.scales == scale_kind::f16_and_min_per_32 ||
                              Format.scales == scale_kind::super_32_and_min ||
                              Format.scales == scale_kind::super_16_and_min;
  float head = 0;
  __builtin_memcpy(&head, panel + 4 * row, sizeof head);
  const std::byte* at = panel + head_bytes(Format);
  for (std::int64_t g = 0; g < groups_of(columns); ++g) {
    const int blocks = blocks_of(columns, g);
    const auto group = packed_group<Format>(at, blocks);
    unpacked_codes scratch;
    const std::byte* codes = unpack(group, blocks, scratch).codes;
    for (int k = 0; k < 32 * blocks && g * group_columns + k < columns; ++k) {
      const auto [scale, offset] = values_at<Format>(group, head, k, row);
      const int code =
          static_cast<int>(codes[k / 4 * line_bytes + 4 * row + k % 4]);
      const float value = scale * static_cast<float>(code - zero);
      out[g * group_columns + k] = has_offset ? value + offset : value;
    }
    at += group_bytes(Format, blocks);
  }
}

} // namespace

std::size_t integer_panel_bytes(dtype type, std::int64_t columns) {
  if (type == dtype::fp8) // no integers; models are loaded as bf16
    return 0;
  return with_format(
      type, [&]<panel_format Format>() { return bytes_of<Format>(columns); });
}

void pack_integer_panel(const matrix_view& rows, std::byte* panel) {
  with_format(rows.type,
              [&]<panel_format Format>() { pack<Format>(rows, panel); });
}

void unpack_integer_row(const matrix_view& panels, std::int64_t row,
                        float* out) {
  const std::byte* panel =
      panels.data +
      static_cast<std::size_t>(row / panel_rows) * panels.row_stride_bytes;
  with_format(panels.type, [&]<panel_format Format>() {
    unpack_one<Format>(panel, panels.columns, row % panel_rows, out);
  });
}

} // namespace sluice::SLUICE_ISA
