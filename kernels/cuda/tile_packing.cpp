// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/tile_packing.hpp"

#include "kernels/convert.hpp"
#include "kernels/cuda/block8.hpp"
#include "kernels/cuda/weight_layout.hpp"
#include "kernels/row_group.hpp"

#include <algorithm>
#include <cstring>

namespace sluice::cuda {

namespace {

constexpr int group_columns = 256; // 8 chunks of all forms with blocks

template <class T>
void put(std::byte* at, T value) {
  std::memcpy(at, &value, sizeof value);
}
template <class T>
T get(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

/// Some bits of a chunk.
struct bit_place {
  int byte;
  int shift;
  int mask;
};

void put_bits(std::byte* chunk, const bit_place& to, int value) {
  chunk[to.byte] |= static_cast<std::byte>((value & to.mask) << to.shift);
}
int get_bits(const std::byte* chunk, const bit_place& from) {
  return std::to_integer<int>(chunk[from.byte]) >> from.shift & from.mask;
}

// -- where codes go: the table in weight_layout.hpp ---------------------------

int register_offset(const element_place& at, int register_elements) {
  const int step = at.j / (2 * register_elements);
  const int r = at.j / register_elements % 2;
  return step * 512 + at.lane * 16 + (at.half + 2 * r) * 4 +
         at.j % register_elements * (4 / register_elements);
}

bit_place byte_place(const element_place& at) {
  const int step = at.j / 4, r = at.j / 2 % 2, e = at.j % 2;
  return {at.lane * 16 + (step * 2 + at.half) * 4 + r + 2 * e, 0, 255};
}

bit_place nibble_place(const element_place& at) {
  const int nibble = at.j / 2 + 4 * (at.j % 2);
  return {at.lane * 8 + at.half * 4 + nibble / 2, nibble % 2 * 4, 15};
}

bit_place upper_bits_place(const element_place& at) {
  const int bit = 2 * (4 * at.half + at.j / 2) + 16 * (at.j % 2);
  return {256 + at.lane * 4 + bit / 8, bit % 8, 3};
}

void put_code(weight_form form, std::byte* chunk, const element_place& at,
              int code) {
  if (form == weight_form::q8_0 || form == weight_form::block8)
    return put_bits(chunk, byte_place(at), code);
  put_bits(chunk, nibble_place(at), code);
  if (form == weight_form::q6_k)
    put_bits(chunk, upper_bits_place(at), code >> 4);
}

/// Signed, the form's offset taken off.
int get_code(weight_form form, const std::byte* chunk,
             const element_place& at) {
  if (form == weight_form::q8_0 || form == weight_form::block8)
    return static_cast<std::int8_t>(get_bits(chunk, byte_place(at)));
  const int low = get_bits(chunk, nibble_place(at));
  if (form == weight_form::q6_k)
    return (low | get_bits(chunk, upper_bits_place(at)) << 4) - 32;
  return form == weight_form::q4_0 ? low - 8 : low;
}

// -- scales -------------------------------------------------------------------

/// A row's place among the scales: `g` and `half`.
struct row_place {
  int g;
  int half;
};

void put_scales(weight_form form, const row_group& from, int i,
                const row_place& at, std::byte* scales) {
  switch (form) {
  case weight_form::q4_k:
    scales[4 * at.g + at.half] = std::byte{from.subs[i]};
    scales[4 * at.g + 2 + at.half] = std::byte{from.sub_mins[i]};
    return;
  case weight_form::q6_k:
    scales[4 * at.g + 2 * at.half] = std::byte{from.subs[2 * i]};
    scales[4 * at.g + 2 * at.half + 1] = std::byte{from.subs[2 * i + 1]};
    return;
  default:
    put(scales + 4 * at.g + 2 * at.half, from.scales[i]);
  }
}

void put_header(weight_form form, const row_group& from, const row_place& at,
                std::byte* header) {
  if (form == weight_form::q4_k) {
    put(header + 8 * at.g + 4 * at.half, from.d);
    put(header + 8 * at.g + 4 * at.half + 2, from.dmin);
  } else if (form == weight_form::q6_k) {
    put(header + 4 * at.g + 2 * at.half, from.d);
  }
}

int block8_offset(const row_place& at, int step) {
  return step * 128 + at.g * 16 + at.half * 4;
}

/// What a step's quants of a row are multiplied by, and what is added.
struct affine {
  float scale;
  float minimum;
};

affine get_scales(weight_form form, const std::byte* scales,
                  const std::byte* header, const row_place& at, int step) {
  const auto byte = [&](int i) {
    return std::to_integer<int>(scales[4 * at.g + i]);
  };
  const auto half = [](const std::byte* from) {
    return f16_to_f32(get<std::uint16_t>(from));
  };
  switch (form) {
  case weight_form::block8: {
    const auto* from = scales + block8_offset(at, step);
    return {get<float>(from), get<float>(from + 8)};
  }
  case weight_form::q4_k: {
    const auto* from = header + 8 * at.g + 4 * at.half;
    return {half(from) * static_cast<float>(byte(at.half)),
            -(half(from + 2) * static_cast<float>(byte(2 + at.half)))};
  }
  case weight_form::q6_k: {
    const auto sub = static_cast<std::int8_t>(byte(2 * at.half + step));
    return {half(header + 4 * at.g + 2 * at.half) * static_cast<float>(sub), 0};
  }
  default:
    return {half(scales + 4 * at.g + 2 * at.half), 0};
  }
}

// -- rows ---------------------------------------------------------------------

std::uint16_t dense_element(dtype type, const std::byte* row, std::int64_t k) {
  if (type == dtype::f32)
    return f32_to_bf16(get<float>(row + 4 * k));
  return get<std::uint16_t>(row + 2 * k);
}

void pack_dense(dtype type, const std::byte* row, std::int64_t columns, int at,
                std::byte* tile) {
  constexpr auto layout = layout_of(weight_form::bf16);
  for (std::int64_t k = 0; k < columns; ++k) {
    const auto place = place_of(layout, at, static_cast<int>(k % 32));
    put(tile + chunk_offset(layout, k / 32) + register_offset(place, 2),
        dense_element(type, row, k));
  }
}

void pack_bytes(const std::byte* row, std::int64_t columns, int at,
                std::byte* tile) {
  constexpr auto layout = layout_of(weight_form::w8a8); // and fp8
  for (std::int64_t k = 0; k < columns; ++k) {
    const auto place = place_of(layout, at, static_cast<int>(k % 64));
    tile[chunk_offset(layout, k / 64) + register_offset(place, 4)] = row[k];
  }
  std::memcpy(tile + tail_offset(layout, columns) + 4 * at, row + columns,
              sizeof(float));
}

template <class Code>
void put_codes(weight_form form, Code code, int at, std::byte* chunk) {
  const auto layout = layout_of(form);
  for (int k = 0; k < layout.columns; ++k)
    put_code(form, chunk, place_of(layout, at, k), code(k));
}

void pack_block8_group(const block8_group& from, int chunks, int at,
                       std::byte* to) {
  constexpr auto layout = layout_of(weight_form::block8);
  for (int i = 0; i < chunks; ++i, to += layout.bytes()) {
    put_codes(
        weight_form::block8, [&](int k) { return from.codes[32 * i + k]; }, at,
        to);
    for (int step = 0; step < 2; ++step) {
      auto* scales =
          to + layout.quant_bytes + block8_offset({at % 8, at / 8}, step);
      put(scales, from.scales[2 * i + step]);
      put(scales + 8, from.minima[2 * i + step]);
    }
  }
}

void pack_group(weight_form form, const row_group& from, int chunks, int at,
                std::byte* to) {
  const auto layout = layout_of(form);
  const row_place place{at % 8, at / 8};
  const int flip = form == weight_form::q8_0 ? 128 : 0; // stored unsigned
  for (int i = 0; i < chunks; ++i) {
    auto* chunk = to + i * layout.bytes();
    put_codes(
        form, [&](int k) { return from.codes[32 * i + k] ^ flip; }, at, chunk);
    put_scales(form, from, i, place, chunk + layout.quant_bytes);
  }
  if (layout.header_bytes > 0)
    put_header(form, from, place, to + group_chunks * layout.bytes());
}

} // namespace

void pack_tile_row(dtype type, const std::byte* row, std::int64_t columns,
                   int at, std::byte* tile) {
  const auto form = form_of(type);
  if (form == weight_form::w8a8 || form == weight_form::fp8)
    return pack_bytes(row, columns, at, tile);
  if (form == weight_form::bf16 || form == weight_form::f16)
    return pack_dense(type, row, columns, at, tile);
  const auto layout = layout_of(form);
  for (std::int64_t group = 0; group * group_columns < columns; ++group) {
    const auto left = columns - group * group_columns;
    const auto chunks =
        static_cast<int>(std::min<std::int64_t>(left, group_columns) / 32);
    auto* to = tile + chunk_offset(layout, group * group_chunks);
    if (form == weight_form::block8) {
      pack_block8_group(read_block8(type, row, columns, group), chunks, at, to);
    } else {
      row_group from;
      read_group(type, row, columns, group, from);
      pack_group(form, from, chunks, at, to);
    }
  }
}

void unpack_tile_row(weight_form form, const std::byte* tile,
                     std::int64_t columns, int at, float* out) {
  const auto layout = layout_of(form);
  for (std::int64_t k = 0; k < columns; ++k) {
    const auto chunk = k / layout.columns;
    const auto column = static_cast<int>(k % layout.columns);
    const auto place = place_of(layout, at, column);
    const auto* from = tile + chunk_offset(layout, chunk);
    if (form == weight_form::bf16 || form == weight_form::f16) {
      const auto bits = get<std::uint16_t>(from + register_offset(place, 2));
      out[k] = form == weight_form::f16 ? f16_to_f32(bits) : bf16_to_f32(bits);
    } else if (form == weight_form::w8a8 || form == weight_form::fp8) {
      const auto code = get<std::uint8_t>(from + register_offset(place, 4));
      out[k] = get<float>(tile + tail_offset(layout, columns) + 4 * at) *
               (form == weight_form::fp8
                    ? f8_e4m3_to_f32(code)
                    : static_cast<float>(static_cast<std::int8_t>(code)));
    } else {
      const auto by =
          get_scales(form, from + layout.quant_bytes,
                     tile + header_offset(layout, chunk / group_chunks),
                     {at % 8, at / 8}, column / 16);
      out[k] = by.scale * static_cast<float>(get_code(form, from, place)) +
               by.minimum;
    }
  }
}

} // namespace sluice::cuda
