// SPDX-License-Identifier: Apache-2.0
#include "kernels/contracts.hpp"
#include "kernels/convert.hpp"
#include "kernels/reference/reference.hpp"

#include <cmath>
#include <limits>
#include <span>

namespace sluice::reference {

namespace {

// Rotates the heads of one row of q or k in place.
void rotate(float* row, std::int64_t columns, std::int64_t token,
            const rope_store_kv_args& args) {
  const std::int64_t half = args.rotary_dim / 2;
  const bool split = args.layout == rope_layout::half_split;
  const float* cosines = args.cos_sin.data() + token * args.rotary_dim;
  for (std::int64_t head = 0; head < columns; head += args.cache.head_dim) {
    for (std::int64_t i = 0; i < half; ++i) {
      float& first = row[head + (split ? i : 2 * i)];
      float& second = row[head + (split ? i + half : 2 * i + 1)];
      const double x = first;
      const double y = second;
      const double cosine = cosines[i];
      const double sine = cosines[half + i];
      first = static_cast<float>(x * cosine - y * sine);
      second = static_cast<float>(x * sine + y * cosine);
    }
  }
}

// K or V of a layer.
struct cache_part {
  std::byte* rows;
  float* scales; // of i8 and f8_e4m3
};

std::byte quantised(dtype type, float x) {
  if (type == dtype::f8_e4m3)
    return std::byte{f32_to_f8_e4m3(x)};
  return static_cast<std::byte>(static_cast<std::int8_t>(std::nearbyint(x)));
}

void store_scaled(dtype type, std::span<const float> head, std::byte* to,
                  float& scale) {
  const float most = type == dtype::f8_e4m3 ? largest_f8_e4m3 : 127.0f;
  float top = 0;
  bool finite = true;
  for (const float x : head) {
    finite = finite && std::isfinite(x);
    top = std::fmax(top, std::fabs(x));
  }
  scale = !finite        ? std::numeric_limits<float>::quiet_NaN()
          : top < 1e-30f ? 0.0f
                         : top / most;
  for (const float x : head)
    *to++ = scale > 0 ? quantised(type, x / scale) : std::byte{0};
}

void store(const float* head, const cache_part& part, std::int64_t kv_head,
           std::int64_t slot, const kv_view& kv) {
  const std::int64_t page = slot / kv.page_tokens;
  const std::int64_t offset = slot % kv.page_tokens;
  const std::int64_t row =
      (page * kv.kv_heads + kv_head) * kv.page_tokens + offset;
  const auto bytes = static_cast<std::int64_t>(row_bytes(kv.type, kv.head_dim));
  const std::span elements{head, static_cast<std::size_t>(kv.head_dim)};
  if (is_scaled(kv.type)) {
    return store_scaled(kv.type, elements, part.rows + row * bytes,
                        part.scales[row]);
  }
  quantize_row(kv.type, elements, part.rows + row * bytes);
}

void store_token(const rope_store_kv_args& args, std::int64_t token) {
  const kv_view& kv = args.cache;
  const std::int64_t slot = args.slots[static_cast<std::size_t>(token)];
  const float* k = args.k.data + token * args.k.row_stride;
  const float* v = args.v.data + token * args.v.row_stride;
  for (std::int64_t head = 0; head < kv.kv_heads; ++head) {
    store(k + head * kv.head_dim, {kv.k, kv.k_scales}, head, slot, kv);
    store(v + head * kv.head_dim, {kv.v, kv.v_scales}, head, slot, kv);
  }
}

} // namespace

// Once per step, so every CPU path uses this one: the angles are the same.
void rope_angles(const rope_angles_args& args, thread_pool& pool) {
  check(args);
  const auto tokens = static_cast<std::int64_t>(args.positions.size());
  const std::size_t half = args.inv_freq.size();
  pool.parallel_for(tokens, [&](std::int64_t token) {
    const auto t = static_cast<std::size_t>(token);
    for (std::size_t i = 0; i < half; ++i) {
      const double angle = static_cast<double>(args.positions[t]) *
                           static_cast<double>(args.inv_freq[i]);
      float* row = &args.cos_sin[t * 2 * half];
      row[i] = static_cast<float>(args.scale * std::cos(angle));
      row[half + i] = static_cast<float>(args.scale * std::sin(angle));
    }
  });
}

void rope_store_kv(const rope_store_kv_args& args, thread_pool& pool) {
  check(args);
  pool.parallel_for(args.q.rows, [&](std::int64_t token) {
    rotate(args.q.data + token * args.q.row_stride, args.q.columns, token,
           args);
    rotate(args.k.data + token * args.k.row_stride, args.k.columns, token,
           args);
    store_token(args, token);
  });
}

} // namespace sluice::reference
