// SPDX-License-Identifier: Apache-2.0
#include "tests/kernels/cuda/attention_fixture.hpp"

#include "kernels/convert.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace sluice::test {

attention_fixture::attention_fixture(const attention_shape& shape, dtype type,
                                     std::int64_t page_tokens,
                                     std::vector<std::int64_t> lengths)
    : shape_(shape), type_(type),
      kv_(shape, type, page_tokens, std::move(lengths)) {}

std::vector<std::uint16_t>
attention_fixture::queries(const std::vector<row>& rows) const {
  std::vector<std::uint16_t> found;
  for (const row& r : rows) {
    const auto seed =
        static_cast<std::uint32_t>(r.sequence * 100000 + r.position + 7);
    for (const float x : random_floats(width(), seed, 2))
      found.push_back(query_type() == dtype::bf16 ? f32_to_bf16(x)
                                                  : f32_to_f16(x));
  }
  return found;
}

std::size_t attention_fixture::stride() const {
  std::size_t most = 1;
  for (const auto& list : kv_.sequences())
    most = std::max(most, list.size());
  return most;
}

std::vector<std::uint32_t> attention_fixture::tables() const {
  // What is past a sequence's pages is no page.
  std::vector<std::uint32_t> all(stride() * kv_.sequences().size(),
                                 0xffffffffu);
  for (std::size_t s = 0; s < kv_.sequences().size(); ++s)
    std::copy(kv_.sequences()[s].begin(), kv_.sequences()[s].end(),
              all.begin() + static_cast<std::ptrdiff_t>(s * stride()));
  return all;
}

std::vector<float> attention_fixture::expected(const std::vector<row>& wanted) {
  const auto bits = queries(wanted);
  rows q(std::ssize(wanted), width());
  std::transform(
      bits.begin(), bits.end(), q.values.begin(), [&](std::uint16_t b) {
        return query_type() == dtype::bf16 ? bf16_to_f32(b) : f16_to_f32(b);
      });
  rows out(q.height, q.width);
  std::vector<std::int32_t> sequences;
  std::vector<std::int32_t> positions;
  for (const row& r : wanted) {
    sequences.push_back(r.sequence);
    positions.push_back(r.position);
  }
  thread_pool pool(1);
  oracle().paged_attention(
      {.q = q.view(),
       .cache = kv_.cache(),
       .sequences = kv_.sequences(),
       .row_sequences = sequences,
       .positions = positions,
       .heads = shape_.kv_heads * shape_.group,
       .scale = 1 / std::sqrt(static_cast<float>(shape_.head_dim)),
       .window = shape_.window,
       .out = out.view()},
      pool);
  return out.values;
}

std::vector<std::byte> attention_fixture::bytes(const std::vector<row>& wanted,
                                                const attention_call& call) {
  cuda::stream in;
  std::vector<std::int32_t> sequences;
  std::vector<std::int32_t> positions;
  for (const row& r : wanted) {
    sequences.push_back(r.sequence);
    positions.push_back(r.position);
  }
  cuda::attention_plan plan;
  const bool single = call.use == attention_call::kernels::decode;
  if (!single)
    plan = cuda::plan_attention(
        sequences, positions,
        {.head_dim = shape_.head_dim,
         .group = shape_.group,
         .shortest_run = call.use == attention_call::kernels::prompt ? 1 : 16});
  const auto longest =
      call.longest > 0
          ? call.longest
          : *std::max_element(positions.begin(), positions.end()) + 1;
  kv_view cache = kv_.cache();
  const auto elements = row_bytes(
      type_, cache.pages * cache.kv_heads * cache.page_tokens * cache.head_dim);
  const auto heads = static_cast<std::size_t>(cache.pages * cache.kv_heads *
                                              cache.page_tokens);
  const std::span<const std::byte> on_host_k{cache.k, elements};
  const std::span<const std::byte> on_host_v{cache.v, elements};
  const std::span<const float> on_host_ks{cache.k_scales, heads};
  const std::span<const float> on_host_vs{cache.v_scales, heads};
  const device_array<std::byte> k(in, on_host_k);
  const device_array<std::byte> v(in, on_host_v);
  const device_array<float> k_scales(in, on_host_ks);
  const device_array<float> v_scales(in, on_host_vs);
  cache.k = k.bytes();
  cache.v = v.bytes();
  cache.k_scales = k_scales.data();
  cache.v_scales = v_scales.data();
  const auto upload = [&]<class T>(const std::vector<T>& values) {
    return device_array<T>(in, std::span<const T>{values});
  };
  const auto q = upload(queries(wanted));
  const auto pages = upload(tables());
  const auto row_sequences = upload(sequences);
  const auto row_positions = upload(positions);
  const auto tiles = upload(plan.tiles);
  const auto singles = upload(plan.single_rows);
  const auto slopes = upload(call.slopes);
  const auto count = std::ssize(wanted);
  const auto all_heads = shape_.kv_heads * shape_.group;
  const auto room =
      cuda::attention_workspace_bytes(count, call.little_workspace ? 1 : count,
                                      all_heads, shape_.head_dim, longest);
  const device_array<std::byte> workspace(in, room);
  const auto out_bytes = row_bytes(call.out, count * width());
  const device_array<std::byte> out(in, out_bytes);
  const device_array<float> scales(in, wanted.size());
  cuda::paged_attention(
      {.q = q.bytes(),
       .cache = cache,
       .tables = {pages.data(), static_cast<std::int64_t>(stride())},
       .row_sequences = row_sequences.data(),
       .positions = row_positions.data(),
       .rows = count,
       .tiles = tiles.data(),
       .tile_count = std::ssize(plan.tiles),
       .single_rows = single ? nullptr : singles.data(),
       .single_count = std::ssize(plan.single_rows),
       .heads = all_heads,
       .scale = 1 / std::sqrt(static_cast<float>(shape_.head_dim)),
       .window = shape_.window,
       .slopes = call.slopes.empty() ? nullptr : slopes.data(),
       .longest = longest,
       .out = {out.bytes(), scales.data(), call.out, count, width()},
       .workspace = workspace.bytes(),
       .workspace_bytes = room},
      in);
  auto result = out.values();
  if (is_scaled(call.out)) {
    const auto of_rows = scales.values();
    result.resize(out_bytes + wanted.size() * sizeof(float));
    std::memcpy(result.data() + out_bytes, of_rows.data(),
                wanted.size() * sizeof(float));
  }
  return result;
}

std::vector<float> attention_fixture::attend(const std::vector<row>& rows,
                                             const attention_call& call) {
  const auto raw = bytes(rows, call);
  std::vector<float> out(rows.size() * static_cast<std::size_t>(width()));
  if (!is_scaled(call.out)) {
    dequantize_row(call.out, raw.data(), out);
    return out;
  }
  std::vector<float> scales(rows.size());
  std::memcpy(scales.data(), raw.data() + out.size(),
              scales.size() * sizeof(float));
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = (call.out == dtype::i8
                  ? static_cast<float>(static_cast<std::int8_t>(raw[i]))
                  : f8_e4m3_to_f32(std::to_integer<std::uint8_t>(raw[i]))) *
             scales[i / static_cast<std::size_t>(width())];
  return out;
}

} // namespace sluice::test
