// SPDX-License-Identifier: Apache-2.0
#include "kernels/row_group.hpp"

#include <algorithm>
#include <cstring>

namespace sluice {

namespace {

using byte_pointer = const std::uint8_t*;

std::uint16_t load_u16(byte_pointer p) {
  std::uint16_t value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

// Sixteen bytes: elements 0..15 in the low nibbles, 16..31 in the high ones.
void read_nibbles(byte_pointer pairs, std::uint8_t* codes, int half = 16) {
  for (int i = 0; i < half; ++i) {
    codes[i] = pairs[i] & 15;
    codes[i + half] = pairs[i] >> 4;
  }
}

void read_fifth_bits(byte_pointer bits, std::uint8_t* codes) {
  for (int i = 0; i < 32; ++i) {
    codes[i] |= ((bits[i / 8] >> (i % 8)) & 1) << 4;
  }
}

// One block of 32 of the types without super-blocks.
void read_block(dtype type, byte_pointer block, int b, row_group& to) {
  std::uint8_t* codes = to.codes + b * 32;
  const bool has_min = type == dtype::q4_1 || type == dtype::q5_1;
  const bool has_fifth = type == dtype::q5_0 || type == dtype::q5_1;
  if (type == dtype::mxfp4) {
    to.scales[b] = *block++;
  } else {
    to.scales[b] = load_u16(block);
    block += 2;
  }
  if (has_min) {
    to.mins[b] = load_u16(block);
    block += 2;
  }
  if (type == dtype::q8_0) {
    for (int i = 0; i < 32; ++i) {
      codes[i] = block[i] ^ 0x80;
    }
    return;
  }
  read_nibbles(block + (has_fifth ? 4 : 0), codes);
  if (has_fifth) {
    read_fifth_bits(block, codes);
  }
}

// 2 bits an element: 128 elements in 32 bytes, 32 elements a bit pair.
void read_pairs(byte_pointer quarters, std::uint8_t* codes) {
  for (int i = 0; i < 256; ++i) {
    codes[i] = (quarters[i / 128 * 32 + i % 32] >> (i / 32 % 4 * 2)) & 3;
  }
}

void read_q2_k(byte_pointer block, row_group& to) {
  read_pairs(block + 16, to.codes);
  for (int s = 0; s < 16; ++s) {
    to.subs[s] = block[s] & 15;
    to.sub_mins[s] = block[s] >> 4;
  }
  to.d = load_u16(block + 80);
  to.dmin = load_u16(block + 82);
}

void read_q3_k(byte_pointer block, row_group& to) {
  read_pairs(block + 32, to.codes);
  for (int i = 0; i < 256; ++i) {
    to.codes[i] |= ((block[i % 32] >> (i / 32)) & 1) << 2;
  }
  const byte_pointer packed = block + 96;
  for (int s = 0; s < 16; ++s) {
    const int low = s < 8 ? packed[s] & 15 : packed[s - 8] >> 4;
    const int high = (packed[8 + s % 4] >> (s / 4 * 2)) & 3;
    to.subs[s] = static_cast<std::uint8_t>((low | (high << 4)) - 32);
  }
  to.d = load_u16(block + 108);
}

// Eight scales and eight mins of 6 bits in 12 bytes.
void read_six_bits(byte_pointer packed, row_group& to) {
  for (int s = 0; s < 4; ++s) {
    to.subs[s] = packed[s] & 63;
    to.sub_mins[s] = packed[s + 4] & 63;
    to.subs[s + 4] = (packed[s + 8] & 15) | (packed[s] >> 6 << 4);
    to.sub_mins[s + 4] = (packed[s + 8] >> 4) | (packed[s + 4] >> 6 << 4);
  }
}

void read_q4_k(byte_pointer block, row_group& to, bool has_fifth) {
  to.d = load_u16(block);
  to.dmin = load_u16(block + 2);
  read_six_bits(block + 4, to);
  const byte_pointer pairs = block + (has_fifth ? 48 : 16);
  for (int j = 0; j < 4; ++j) {
    read_nibbles(pairs + j * 32, to.codes + j * 64, 32);
  }
  for (int i = 0; has_fifth && i < 256; ++i) {
    to.codes[i] |= ((block[16 + i % 32] >> (i / 32)) & 1) << 4;
  }
}

void read_q6_k(byte_pointer block, row_group& to) {
  for (int i = 0; i < 256; ++i) {
    const int half = i / 128;
    const int at = i % 128;
    const int low = block[half * 64 + at % 64] >> (at / 64 * 4) & 15;
    const int high = block[128 + half * 32 + at % 32] >> (at / 32 * 2) & 3;
    to.codes[i] = static_cast<std::uint8_t>(low | (high << 4));
  }
  std::memcpy(to.subs, block + 192, 16);
  to.d = load_u16(block + 208);
}

void read_iq4_xs(byte_pointer block, row_group& to) {
  to.d = load_u16(block);
  const int high = load_u16(block + 2);
  for (int b = 0; b < 8; ++b) {
    const int low = block[4 + b / 2] >> (b % 2 * 4) & 15;
    const int scale = (low | ((high >> (2 * b) & 3) << 4)) - 32;
    to.subs[b] = static_cast<std::uint8_t>(scale);
    read_nibbles(block + 8 + b * 16, to.codes + b * 32);
  }
}

void read_plain(byte_pointer values, std::int64_t count, row_group& to) {
  for (std::int64_t i = 0; i < count; ++i) {
    to.codes[i] = values[i] ^ 0x80;
  }
}

} // namespace

void read_group(dtype type, const std::byte* row, std::int64_t columns,
                std::int64_t g, row_group& to) {
  to = {};
  const std::int64_t left = std::min<std::int64_t>(columns - g * 256, 256);
  const auto* first = reinterpret_cast<byte_pointer>(row);
  if (type == dtype::w8a8) {
    return read_plain(first + g * 256, left, to);
  }
  const auto bytes = static_cast<std::int64_t>(block_bytes(type));
  first += g * 256 / block_elements(type) * bytes;
  switch (type) {
  case dtype::q2_k:
    return read_q2_k(first, to);
  case dtype::q3_k:
    return read_q3_k(first, to);
  case dtype::q4_k:
    return read_q4_k(first, to, false);
  case dtype::q5_k:
    return read_q4_k(first, to, true);
  case dtype::q6_k:
    return read_q6_k(first, to);
  case dtype::iq4_xs:
    return read_iq4_xs(first, to);
  default:
    for (int b = 0; b < left / 32; ++b) {
      read_block(type, first + b * bytes, b, to);
    }
  }
}

} // namespace sluice
