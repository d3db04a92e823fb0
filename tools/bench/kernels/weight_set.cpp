// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/kernels/weight_set.hpp"

#include <algorithm>
#include <cstring>

#include "model/random_weights.hpp"

namespace sluice::bench {
namespace {

constexpr std::uint64_t alignment = 64;
constexpr float spread = 0.02f; // as in trained models, about

std::uint64_t aligned(std::uint64_t bytes) {
  return (bytes + alignment - 1) / alignment * alignment;
}

std::int64_t panels_of(const matrix_shape& shape,
                       const weight_packing& packing) {
  return (shape.rows + packing.panel_rows - 1) / packing.panel_rows;
}

/// A view of where a matrix will lie; without its address.
matrix_view plan(dtype type, const matrix_shape& shape,
                 const weight_packing& packing) {
  matrix_view view{nullptr, type, shape.rows, shape.columns,
                   row_bytes(type, shape.columns)};
  if (const auto bytes = packing.panel_bytes(type, shape.columns); bytes > 0) {
    view.layout = weight_layout::panels;
    view.row_stride_bytes = bytes;
  }
  return view;
}

std::uint64_t bytes_of(const matrix_view& view, const weight_packing& packing) {
  const auto count = view.layout == weight_layout::panels
                         ? panels_of({view.rows, view.columns}, packing)
                         : view.rows;
  return static_cast<std::uint64_t>(count) * view.row_stride_bytes;
}

void pack(const matrix_view& from, const matrix_view& to, std::byte* data,
          const weight_packing& packing, thread_pool& pool) {
  pool.parallel_for(
      panels_of({to.rows, to.columns}, packing), [&](std::int64_t panel) {
        const auto first = panel * packing.panel_rows;
        auto rows = from;
        rows.data += static_cast<std::size_t>(first) * from.row_stride_bytes;
        rows.rows = std::min(packing.panel_rows, from.rows - first);
        packing.pack_panel(rows, data + static_cast<std::size_t>(panel) *
                                            to.row_stride_bytes);
      });
}

/// Rows of bytes, each with its scale behind it.
void fill_scaled(const matrix_view& rows, std::span<std::byte> out,
                 std::uint64_t key) {
  const bool integers = rows.type == dtype::w8a8;
  random_weights random{integers ? dtype::i8 : dtype::f8_e4m3, spread, key};
  const auto scale = integers ? random_weights::i8_scale(spread)
                              : random_weights::f8_scale(spread);
  const auto values = static_cast<std::size_t>(rows.columns);
  for (std::size_t at = 0; at < out.size(); at += values + sizeof scale) {
    random.fill(out.subspan(at, values));
    std::memcpy(&out[at + values], &scale, sizeof scale);
  }
}

void fill_rows(const matrix_view& rows, std::span<std::byte> out,
               std::uint64_t key) {
  if (rows.type == dtype::w8a8 || rows.type == dtype::fp8)
    return fill_scaled(rows, out, key);
  random_weights{rows.type, spread, key}.fill(out);
}

/// Random numbers in the layout of `view`, at `data`.
void fill(const matrix_view& view, std::byte* data, std::uint64_t key,
          const weight_packing& packing, thread_pool& pool) {
  auto rows = view;
  rows.layout = weight_layout::rows;
  rows.row_stride_bytes = row_bytes(view.type, view.columns);
  const auto bytes =
      static_cast<std::size_t>(view.rows) * rows.row_stride_bytes;
  if (view.layout == weight_layout::rows)
    return fill_rows(rows, {data, bytes}, key);
  std::vector<std::byte> as_rows(bytes);
  fill_rows(rows, as_rows, key);
  rows.data = as_rows.data();
  pack(rows, view, data, packing, pool);
}

} // namespace

weight_set::weight_set(dtype type, std::span<const matrix_shape> matrices,
                       std::uint64_t least_bytes, const weight_packing& packing,
                       thread_pool& pool) {
  for (const auto& shape : matrices)
    layer_bytes_ += aligned(bytes_of(plan(type, shape, packing), packing));
  const auto count = std::max<std::uint64_t>(
      2, (least_bytes + layer_bytes_ - 1) / layer_bytes_);
  memory_ = mapping{count * layer_bytes_, "benchmark weights"};
  layers_.resize(count);
  place(type, matrices, packing);
  std::uint64_t key = 1;
  for (const auto& view : layers_.front())
    fill(view, const_cast<std::byte*>(view.data), key++, packing, pool);
  copy_first_layer(pool);
}

void weight_set::place(dtype type, std::span<const matrix_shape> matrices,
                       const weight_packing& packing) {
  std::byte* at = memory_.data();
  for (auto& layer : layers_)
    for (const auto& shape : matrices) {
      auto view = plan(type, shape, packing);
      view.data = at;
      at += aligned(bytes_of(view, packing));
      layer.push_back(view);
    }
}

void weight_set::copy_first_layer(thread_pool& pool) {
  pool.parallel_for(
      static_cast<std::int64_t>(layers_.size()) - 1, [&](std::int64_t i) {
        std::memcpy(memory_.data() +
                        static_cast<std::size_t>(i + 1) * layer_bytes_,
                    memory_.data(), layer_bytes_);
      });
}

std::span<const matrix_view> weight_set::next_layer() {
  return layers_[next_++ % layers_.size()];
}

} // namespace sluice::bench
