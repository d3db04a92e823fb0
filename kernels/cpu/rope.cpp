// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/ops.hpp"
#include "kernels/cpu/simd.hpp"

namespace sluice::SLUICE_ISA {

namespace {

// Plain loops: each element takes the same four operations on every path, so
// the compiler may vectorise them as it likes.
void rotate_halves(float* head, const float* cosines, std::int64_t half) {
  const float* sines = cosines + half;
  for (std::int64_t i = 0; i < half; ++i) {
    const float x = head[i];
    const float y = head[half + i];
    head[i] = x * cosines[i] - y * sines[i];
    head[half + i] = x * sines[i] + y * cosines[i];
  }
}

void rotate_pairs(float* head, const float* cosines, std::int64_t half) {
  const float* sines = cosines + half;
  for (std::int64_t i = 0; i < half; ++i) {
    const float x = head[2 * i];
    const float y = head[2 * i + 1];
    head[2 * i] = x * cosines[i] - y * sines[i];
    head[2 * i + 1] = x * sines[i] + y * cosines[i];
  }
}

void rotate_row(float* row, std::int64_t columns, std::int64_t token,
                const rope_store_kv_args& args) {
  const auto rotate =
      args.layout == rope_layout::half_split ? rotate_halves : rotate_pairs;
  const float* cosines = args.cos_sin.data() + token * args.rotary_dim;
  for (std::int64_t c = 0; c < columns; c += args.cache.head_dim) {
    rotate(row + c, cosines, args.rotary_dim / 2);
  }
}

template <class Format>
void store_head(const float* head, std::byte* to, std::int64_t n) {
  for_lanes(
      n,
      [&](std::int64_t i) {
        Format::store(to + i * Format::bytes, load(head + i));
      },
      [&](std::int64_t i, int count) {
        store_some<Format>(to + i * Format::bytes, load_some(head + i, count),
                           count);
      });
}

// The scale of a head: 0 if it counts as 0, NaN if it is not finite.
float head_scale(const float* head, std::int64_t n, float most) {
  vec largest_of = set(0);
  vec poison = set(0); // 0, or NaN once an element is not finite
  const auto see = [&](vec x) {
    largest_of = max(largest_of, abs(x));
    poison = add(poison, sub(x, x));
  };
  for_lanes(
      n, [&](std::int64_t i) { see(load(head + i)); },
      [&](std::int64_t i, int count) { see(load_some(head + i, count)); });
  const float top = largest(largest_of);
  const float usable = top < 1e-30f ? 0.0f : top;
  return sum(poison) == 0 ? usable / most : __builtin_nanf("");
}

template <class Format>
void store_scaled(const float* head, std::byte* to, float* scale,
                  std::int64_t n) {
  *scale = head_scale(head, n, Format::most);
  if (!(*scale > 0)) {
    __builtin_memset(to, 0, static_cast<std::size_t>(n));
    return;
  }
  const vec divisor = set(*scale);
  for_lanes(
      n,
      [&](std::int64_t i) {
        Format::store(to + i, div(load(head + i), divisor));
      },
      [&](std::int64_t i, int count) {
        store_some<Format>(to + i, div(load_some(head + i, count), divisor),
                           count);
      });
}

// K or V of a layer.
struct cache_part {
  std::byte* rows;
  float* scales; // of i8 and f8_e4m3
};

// Writes the heads of one row into K or V at the token's slot.
template <class Format>
void store_row(const float* row, const cache_part& part, std::int64_t slot,
               const kv_view& kv) {
  const std::int64_t page = slot / kv.page_tokens;
  const std::int64_t offset = slot % kv.page_tokens;
  for (std::int64_t head = 0; head < kv.kv_heads; ++head) {
    const std::int64_t index =
        (page * kv.kv_heads + head) * kv.page_tokens + offset;
    const float* from = row + head * kv.head_dim;
    std::byte* to = part.rows + index * kv.head_dim * Format::bytes;
    if constexpr (Format::bytes == 1) {
      store_scaled<Format>(from, to, part.scales + index, kv.head_dim);
    } else {
      store_head<Format>(from, to, kv.head_dim);
    }
  }
}

template <class Format>
void run(const rope_store_kv_args& args, thread_pool& pool) {
  const std::int64_t columns = args.q.columns + 2 * args.k.columns;
  for_rows(pool, args.q.rows, columns, [&](std::int64_t token) {
    const std::int64_t slot = args.slots.data()[token];
    float* k = args.k.data + token * args.k.row_stride;
    const float* v = args.v.data + token * args.v.row_stride;
    rotate_row(args.q.data + token * args.q.row_stride, args.q.columns, token,
               args);
    rotate_row(k, args.k.columns, token, args);
    const kv_view& kv = args.cache;
    store_row<Format>(k, {kv.k, kv.k_scales}, slot, kv);
    store_row<Format>(v, {kv.v, kv.v_scales}, slot, kv);
  });
}

} // namespace

void rope_store_kv(const rope_store_kv_args& args, thread_pool& pool) {
  check(args);
  switch (args.cache.type) {
  case dtype::f16:
    return run<f16_format>(args, pool);
  case dtype::bf16:
    return run<bf16_format>(args, pool);
  case dtype::i8:
    return run<i8_format>(args, pool);
  case dtype::f8_e4m3:
    return run<f8_format>(args, pool);
  default:
    return run<f32_format>(args, pool);
  }
}

} // namespace sluice::SLUICE_ISA
