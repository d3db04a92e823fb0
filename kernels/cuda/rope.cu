// SPDX-License-Identifier: Apache-2.0
#include "kernels/check.hpp"
#include "kernels/convert.hpp"
#include "kernels/cuda/cache_checks.hpp"
#include "kernels/cuda/launch.hpp"

#include <bit>

// Rotary embeddings and the writing of K and V. Bound by memory: q, k and v are
// read once in f32 (a partner comes from L1), and written in 1 or 2 bytes an
// element. A warp takes one head of one row, so that a decode of few rows is
// still spread over many processors.

namespace sluice::cuda {
namespace {

// -- angles -------------------------------------------------------------------

constexpr int angle_threads = 128;

SLUICE_KERNEL(angle_threads)
rope_angles_kernel(angle_args args) {
  let_next_kernel_start();
  wait_for_previous_kernel();
  const std::int64_t row = block_x();
  const auto half = static_cast<int>(args.rotary_dim / 2);
  const int position = args.positions[row];
  float* const out = args.cos_sin + row * args.rotary_dim;
  if (position < 0)
    return;
  for (int i = thread(); i < half; i += threads()) {
    const double angle = double(position) * double(args.inv_freq[i]);
    out[i] = static_cast<float>(args.scale * cosine(angle));
    out[half + i] = static_cast<float>(args.scale * sine(angle));
  }
}

// -- rotation and storing -----------------------------------------------------

constexpr int head_warps = 4;
constexpr int most_pairs = 4; // of neighbouring elements in a lane: 256 / 64

// One head of a row of q, k or v, spread over a warp: a lane has elements
// 64 j + 2 lane and the next.
struct head_part {
  float pairs[most_pairs][2];

  static SLUICE_DEVICE int column(int j) { return 64 * j + 2 * lane(); }
};

struct rotation {
  const float* angles; // [rotary_dim]: half cosines, half sines
  int rotary_dim;
  bool split;

  SLUICE_DEVICE float apply(const float* x, int e) const {
    const int half = rotary_dim / 2;
    if (e >= rotary_dim)
      return x[e];
    const bool first = split ? e < half : e % 2 == 0;
    const int pair = split ? (first ? e : e - half) : e / 2;
    const float other =
        x[first ? e + (split ? half : 1) : e - (split ? half : 1)];
    const float sine = angles[half + pair];
    const float kept = x[e] * angles[pair];
    return first ? kept - other * sine : other * sine + kept;
  }
};

SLUICE_DEVICE head_part load_head(const float* x, int head_dim,
                                  const rotation& by) {
  head_part part{};
  SLUICE_UNROLL
  for (int j = 0; j < most_pairs; ++j) {
    const int e = head_part::column(j);
    if (e < head_dim) {
      part.pairs[j][0] = by.apply(x, e);
      part.pairs[j][1] = by.apply(x, e + 1);
    }
  }
  return part;
}

SLUICE_DEVICE void store_halves(const head_part& part, std::byte* to,
                                int head_dim, bool bf16) {
  SLUICE_UNROLL
  for (int j = 0; j < most_pairs; ++j) {
    const int e = head_part::column(j);
    const auto& [low, high] = part.pairs[j];
    if (e < head_dim)
      *reinterpret_cast<std::uint32_t*>(to + 2 * e) =
          bf16 ? bf16_pair(low, high) : f16_pair(low, high);
  }
}

// As ops.hpp says for a cache of i8 (most 127) and of f8_e4m3 (448).
SLUICE_DEVICE float scale_of(const head_part& part, float most) {
  std::uint32_t largest = 0; // magnitudes order as their bits, NaNs above all
  SLUICE_UNROLL
  for (int j = 0; j < most_pairs; ++j) {
    largest = max(largest, bits_of(part.pairs[j][0]) & 0x7fffffffu);
    largest = max(largest, bits_of(part.pairs[j][1]) & 0x7fffffffu);
  }
  SLUICE_UNROLL
  for (int mask = warp_lanes / 2; mask > 0; mask /= 2)
    largest = max(largest, shuffle_xor(largest, mask));
  if (largest >= 0x7f800000u)
    return float_of(0x7fc00000u);
  return float_of(largest) < 1e-30f ? 0.0f : float_of(largest) / most;
}

SLUICE_DEVICE std::uint32_t int8_pair(float low, float high) {
  return (static_cast<std::uint32_t>(round_to_int(low)) & 0xff) |
         (static_cast<std::uint32_t>(round_to_int(high)) & 0xff) << 8;
}

SLUICE_DEVICE void store_bytes(const head_part& part, std::byte* to,
                               float* scale_at, int head_dim, bool floats) {
  const float scale = scale_of(part, floats ? largest_f8_e4m3 : 127.0f);
  SLUICE_UNROLL
  for (int j = 0; j < most_pairs; ++j) {
    const int e = head_part::column(j);
    const auto& [low, high] = part.pairs[j];
    if (e < head_dim)
      *reinterpret_cast<std::uint16_t*>(to + e) = static_cast<std::uint16_t>(
          !(scale > 0) ? 0
          : floats     ? e4m3_pair(low / scale, high / scale)
                       : int8_pair(low / scale, high / scale));
  }
  if (lane() == 0)
    *scale_at = scale;
}

// What a kernel would find by dividing 64 bits, which takes some hundred
// instructions.
struct rope_quotients {
  std::int64_t heads; // of q
  int page_shift;     // log2(page_tokens)
};

SLUICE_DEVICE void store_kv(const head_part& part, const kv_view& kv,
                            int page_shift, bool is_k, std::int64_t slot,
                            std::int64_t kv_head) {
  const std::int64_t page = slot >> page_shift;
  const std::int64_t line = ((page * kv.kv_heads + kv_head) << page_shift) +
                            (slot & (kv.page_tokens - 1));
  const auto head_dim = static_cast<int>(kv.head_dim);
  std::byte* const to = is_k ? kv.k : kv.v;
  if (is_scaled(kv.type))
    return store_bytes(part, to + line * head_dim,
                       (is_k ? kv.k_scales : kv.v_scales) + line, head_dim,
                       kv.type == dtype::f8_e4m3);
  store_halves(part, to + line * head_dim * 2, head_dim,
               kv.type == dtype::bf16);
}

// x: rows, y: groups of head_warps among the heads of q, then k, then v.
SLUICE_KERNEL(head_warps* warp_lanes)
rope_store_kv_kernel(rope_args args, rope_quotients quotients) {
  let_next_kernel_start();
  wait_for_previous_kernel();
  const kv_view& kv = args.cache;
  const std::int64_t row = block_x();
  const std::int64_t slot = args.slots[row];
  const std::int64_t heads = quotients.heads;
  std::int64_t head = std::int64_t{block_y()} * head_warps + warp();
  if (slot < 0 || head >= heads + 2 * kv.kv_heads)
    return;
  const auto head_dim = static_cast<int>(kv.head_dim);
  const rotation turn{args.cos_sin + row * args.rotary_dim,
                      static_cast<int>(args.rotary_dim),
                      args.layout == rope_layout::half_split};
  if (head < heads) {
    const float* q = args.q.data + row * args.q.row_stride + head * head_dim;
    std::byte* to = args.q_out + (row * heads + head) * head_dim * 2;
    return store_halves(load_head(q, head_dim, turn), to, head_dim,
                        kv.type == dtype::bf16);
  }
  head -= heads;
  const bool is_k = head < kv.kv_heads;
  head -= is_k ? 0 : kv.kv_heads;
  const float* x = is_k ? args.k.data + row * args.k.row_stride
                        : args.v.data + row * args.v.row_stride;
  x += head * head_dim;
  const rotation of_k{turn.angles, is_k ? turn.rotary_dim : 0, turn.split};
  store_kv(load_head(x, head_dim, of_k), kv, quotients.page_shift, is_k, slot,
           head);
}

// -- checks -------------------------------------------------------------------

bool is_part(const device_rows& x, std::int64_t rows, std::int64_t columns) {
  return is_aligned16(x.data) && x.rows == rows && x.columns == columns &&
         x.row_stride >= columns && x.row_stride % 4 == 0;
}

bool is_rotary(std::int64_t dim) {
  return dim >= 0 && dim % 2 == 0 && dim <= 256;
}

bool is_row_count(std::int64_t rows) {
  return rows >= 0 && rows <= std::numeric_limits<std::int32_t>::max();
}

void check(const rope_args& args) {
  const kv_view& kv = args.cache;
  require(
      is_usable(kv),
      "rope_store_kv: malformed cache; check dtype, scales, alignment, page "
      "size and head_dim (a multiple of 16, at most 256)");
  const std::int64_t rows = args.q.rows;
  const std::int64_t width = kv.kv_heads * kv.head_dim;
  require(is_row_count(rows) && args.q.columns % kv.head_dim == 0 &&
              is_part(args.q, rows, args.q.columns) &&
              is_part(args.k, rows, width) && is_part(args.v, rows, width),
          "rope_store_kv: q, k and v must be aligned rows of heads * head_dim; "
          "check the model");
  require(is_rotary(args.rotary_dim) && args.rotary_dim <= kv.head_dim &&
              (args.rotary_dim == 0 || args.cos_sin),
          "rope_store_kv: cos_sin must be [rows, rotary_dim], rotary_dim even "
          "and <= head_dim; see rope_angles");
  require(args.slots && is_aligned16(args.q_out),
          "rope_store_kv: slots or q_out are missing; allocate them");
}

} // namespace

void rope_angles(const angle_args& args, stream& in) {
  require(is_row_count(args.rows) && is_rotary(args.rotary_dim),
          "rope_angles: rotary_dim must be even and at most 256; check the "
          "model");
  if (args.rows == 0 || args.rotary_dim == 0)
    return;
  require(args.positions && args.inv_freq && args.cos_sin,
          "rope_angles: positions, inv_freq or cos_sin is missing");
  launch(in,
         {.grid_x = static_cast<std::uint32_t>(args.rows),
          .threads = args.rotary_dim > 64 ? angle_threads : 32u,
          .early = true},
         rope_angles_kernel, args);
}

void rope_store_kv(const rope_args& args, stream& in) {
  if (args.q.rows == 0)
    return;
  check(args);
  const rope_quotients quotients{
      args.q.columns / args.cache.head_dim,
      std::countr_zero(static_cast<std::uint64_t>(args.cache.page_tokens))};
  const std::int64_t heads = quotients.heads + 2 * args.cache.kv_heads;
  const std::int64_t groups = (heads + head_warps - 1) / head_warps;
  require(groups <= most_grid_rows,
          "rope_store_kv: more than 262,140 heads; check the model");
  launch(in,
         {.grid_x = static_cast<std::uint32_t>(args.q.rows),
          .grid_y = static_cast<std::uint32_t>(groups),
          .threads = head_warps * warp_lanes,
          .early = true},
         rope_store_kv_kernel, args, quotients);
}

} // namespace sluice::cuda
