// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/gpu/attention_data.hpp"

#include "kernels/cuda/attention.hpp"
#include "tools/bench/gpu/noise.hpp"

#include <cmath>
#include <vector>

namespace sluice::bench {
namespace {

constexpr std::uint32_t page_tokens = 16;

template <class T>
const T* put(std::byte*& at, const std::vector<T>& values, cuda::stream& in) {
  auto* here = at;
  in.copy(here, values.data(), values.size() * sizeof(T));
  in.wait(); // before the values go
  at += (values.size() * sizeof(T) + 255) / 256 * 256;
  return reinterpret_cast<const T*>(here);
}

// Queries and keys whose scores are as far apart as a model's.
void fill_cache(const kv_view& cache, cuda::stream& in) {
  const auto heads = static_cast<std::uint64_t>(cache.pages * cache.kv_heads *
                                                cache.page_tokens);
  const auto bytes = heads * row_bytes(cache.type, cache.head_dim);
  for (auto* part : {cache.k, cache.v})
    fill_with_noise(part, bytes, cache.type, 1, in);
  if (is_scaled(cache.type))
    for (auto* scales : {cache.k_scales, cache.v_scales})
      fill_with(noise_scale(cache.type, 1), scales, heads, in);
}

} // namespace

attention_on_gpu::attention_on_gpu(const model_shape& shape, dtype cache_type,
                                   const size& what, cuda::stream& in)
    : shape_{shape}, size_{what} {
  const auto pages_each = static_cast<std::uint32_t>(
      (what.context + page_tokens - 1) / page_tokens);
  const auto sequences = static_cast<std::uint32_t>(what.sequences);
  cache_shape_ = {.layers = 1,
                  .kv_heads = static_cast<std::uint32_t>(shape.kv_heads),
                  .head_dim = static_cast<std::uint32_t>(shape.head_dim),
                  .pages = pages_each * sequences,
                  .page_tokens = page_tokens,
                  .type = cache_type};
  cache_ = cuda::device_memory{kv_store_bytes(cache_shape_)};
  const auto rows = what.sequences * what.rows_each;
  std::vector<std::uint32_t> tables(cache_shape_.pages);
  for (std::uint32_t i = 0; i < tables.size(); ++i) // far apart, as in use
    tables[i] = i % sequences * pages_each + i / sequences;
  std::vector<std::int32_t> positions;
  std::vector<std::int32_t> owners;
  for (std::int64_t s = 0; s < what.sequences; ++s)
    for (std::int64_t i = 0; i < what.rows_each; ++i) {
      positions.push_back(
          static_cast<std::int32_t>(what.context - what.rows_each + i));
      owners.push_back(static_cast<std::int32_t>(s));
    }
  const auto width = shape.heads * shape.head_dim;
  const auto activations =
      static_cast<std::uint64_t>(rows * width * 2 + 255) / 256 * 256;
  const auto plan = cuda::plan_attention(
      owners, positions,
      {.head_dim = shape.head_dim, .group = shape.heads / shape.kv_heads});
  data_ = cuda::device_memory{2 * activations + tables.size() * 4 +
                              positions.size() * (2 * 4 + 12) + 6 * 256};
  in.fill(data_.data(), 0, data_.bytes());
  workspace_ = cuda::device_memory{cuda::attention_workspace_bytes(
      rows, rows, shape.heads, shape.head_dim, what.context)};
  in.fill(workspace_.data(), 0, workspace_.bytes());
  auto* at = data_.data();
  args_.q = at;
  args_.out = {at + activations, nullptr, dtype::bf16, rows, width};
  at += 2 * activations;
  fill_with_noise(at - 2 * activations, activations,
                  cache_type == dtype::bf16 ? dtype::bf16 : dtype::f16, 1, in);
  args_.cache = kv_layer(cache_shape_, cache_.data(), 0);
  fill_cache(args_.cache, in);
  args_.tables = {put(at, tables, in), pages_each};
  args_.row_sequences = put(at, owners, in);
  args_.positions = put(at, positions, in);
  args_.tiles = put(at, plan.tiles, in);
  args_.tile_count = std::ssize(plan.tiles);
  args_.single_rows = put(at, plan.single_rows, in);
  args_.single_count = std::ssize(plan.single_rows);
  args_.rows = rows;
  args_.heads = shape.heads;
  args_.scale = 1 / std::sqrt(static_cast<float>(shape.head_dim));
  args_.longest = what.context;
  args_.workspace = workspace_.data();
  args_.workspace_bytes = workspace_.bytes();
}

void attention_on_gpu::run(cuda::stream& in) const {
  cuda::paged_attention(args_, in);
}

double attention_on_gpu::bytes() const {
  return static_cast<double>(kv_store_bytes(cache_shape_));
}

double attention_on_gpu::operations() const {
  // A row at position p sees p + 1 keys: two products of head_dim each.
  const auto first = static_cast<double>(size_.context - size_.rows_each + 1);
  const auto seen = static_cast<double>(size_.rows_each) *
                    (first + static_cast<double>(size_.context)) / 2;
  return static_cast<double>(size_.sequences) * seen * 4 *
         static_cast<double>(shape_.heads * shape_.head_dim);
}

} // namespace sluice::bench
