// SPDX-License-Identifier: Apache-2.0
#include "kernels/contracts.hpp"
#include "kernels/convert.hpp"
#include "kernels/reference/reference.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace sluice::reference {

namespace {

constexpr std::int64_t most_head_dim = 256;

// One query head: where its keys are and which positions it sees.
struct query {
  const paged_attention_args& args;
  page_list pages;
  const float* q;
  std::int64_t kv_head;
  std::int64_t first;
  std::int64_t last;
};

// K or V of a layer.
struct cache_part {
  const std::byte* rows;
  const float* scales; // of i8 and f8_e4m3
};

float stored(dtype type, std::byte element) {
  if (type == dtype::f8_e4m3)
    return f8_e4m3_to_f32(std::to_integer<std::uint8_t>(element));
  return static_cast<float>(static_cast<std::int8_t>(element));
}

void read(const query& at, const cache_part& part, std::int64_t position,
          float* out) {
  const kv_view& kv = at.args.cache;
  const std::int64_t page =
      at.pages[static_cast<std::size_t>(position / kv.page_tokens)];
  const std::int64_t row = (page * kv.kv_heads + at.kv_head) * kv.page_tokens +
                           position % kv.page_tokens;
  const auto bytes = static_cast<std::int64_t>(row_bytes(kv.type, kv.head_dim));
  const std::byte* from = part.rows + row * bytes;
  if (is_scaled(kv.type)) {
    for (std::int64_t i = 0; i < kv.head_dim; ++i) {
      out[i] = stored(kv.type, from[i]) * part.scales[row];
    }
    return;
  }
  dequantize_row(kv.type, from, {out, static_cast<std::size_t>(kv.head_dim)});
}

double score(const query& at, std::int64_t position) {
  float k[most_head_dim];
  read(at, {at.args.cache.k, at.args.cache.k_scales}, position, k);
  double sum = 0;
  for (std::int64_t i = 0; i < at.args.cache.head_dim; ++i) {
    sum += static_cast<double>(at.q[i]) * k[i];
  }
  return sum * at.args.scale;
}

double largest_score(const query& at) {
  double found = -std::numeric_limits<double>::infinity();
  for (std::int64_t p = at.first; p <= at.last; ++p) {
    found = std::fmax(found, score(at, p));
  }
  return found;
}

void attend(const query& at, float* out) {
  const std::int64_t head_dim = at.args.cache.head_dim;
  const double top = largest_score(at);
  double weights = 0;
  double sums[most_head_dim] = {};
  for (std::int64_t p = at.first; p <= at.last; ++p) {
    float v[most_head_dim];
    read(at, {at.args.cache.v, at.args.cache.v_scales}, p, v);
    const double weight = std::exp(score(at, p) - top);
    weights += weight;
    for (std::int64_t i = 0; i < head_dim; ++i) {
      sums[i] += weight * v[i];
    }
  }
  for (std::int64_t i = 0; i < head_dim; ++i) {
    out[i] = static_cast<float>(sums[i] / weights);
  }
}

} // namespace

void paged_attention(const paged_attention_args& args, thread_pool& pool) {
  check(args);
  const std::int64_t head_dim = args.cache.head_dim;
  const std::int64_t group = args.heads / args.cache.kv_heads;
  pool.parallel_for(args.q.rows * args.heads, [&](std::int64_t tile) {
    const std::int64_t row = tile / args.heads;
    const std::int64_t head = tile % args.heads;
    const auto r = static_cast<std::size_t>(row);
    const std::int64_t last = args.positions[r];
    const auto sequence = static_cast<std::size_t>(args.row_sequences[r]);
    const std::int64_t seen = args.window > 0 ? args.window : last + 1;
    attend({.args = args,
            .pages = args.sequences[sequence],
            .q = args.q.data + row * args.q.row_stride + head * head_dim,
            .kv_head = head / group,
            .first = std::max<std::int64_t>(0, last - seen + 1),
            .last = last},
           args.out.data + row * args.out.row_stride + head * head_dim);
  });
}

} // namespace sluice::reference
