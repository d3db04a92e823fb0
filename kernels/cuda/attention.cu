// SPDX-License-Identifier: Apache-2.0
#include "kernels/check.hpp"
#include "kernels/cuda/attention_kernels.hpp"
#include "kernels/cuda/cache_checks.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

// paged_attention: its checks, and which kernels it starts.

namespace sluice::cuda {
namespace {

constexpr std::int64_t most_count = std::numeric_limits<std::int32_t>::max();
constexpr std::size_t enough_bytes = std::size_t{256} << 20; // for spans
constexpr float log2_of_e = 1.44269504f;

std::size_t aligned(std::size_t bytes) {
  return (bytes + 255) / 256 * 256;
}

// The most spans that a row can see.
std::int64_t spans_of(std::int64_t longest, std::int64_t window) {
  const std::int64_t all = (longest + span_positions - 1) / span_positions;
  const std::int64_t near = (window + span_positions - 2) / span_positions + 1;
  return std::max<std::int64_t>(1, window > 0 ? std::min(all, near) : all);
}

// Of one single row.
std::size_t state_bytes(std::int64_t heads, std::int64_t spans) {
  return static_cast<std::size_t>(heads * spans) * sizeof(floats2);
}
std::size_t sum_bytes(std::int64_t heads, std::int64_t head_dim,
                      std::int64_t spans) {
  return static_cast<std::size_t>(heads * spans * head_dim) * sizeof(float);
}

std::size_t row_bytes_f32(std::int64_t rows, std::int64_t columns) {
  return aligned(static_cast<std::size_t>(rows * columns) * sizeof(float));
}

bool is_head_dim(std::int64_t dim, dtype type) {
  return (dim == 16 && !is_scaled(type)) || dim == 32 || dim == 64 ||
         dim == 96 || dim == 128 || dim == 256;
}

void check_cache(const attention_args& args) {
  const kv_view& kv = args.cache;
  require(is_usable(kv),
          "paged_attention: malformed cache; check dtype, scales, alignment, "
          "page size and shape");
  require(is_head_dim(kv.head_dim, kv.type),
          "paged_attention: head_dim must be 16 (not of i8 and fp8), 32, 64, "
          "96, 128 or 256 on a GPU; run this model on the CPU");
  require(args.heads > 0 && args.heads % kv.kv_heads == 0 &&
              args.heads / kv.kv_heads <= 128,
          "paged_attention: heads must be a multiple of kv_heads, at most 128 "
          "times; check the model config");
}

void check_rows(const attention_args& args) {
  require(is_aligned16(args.q) && args.row_sequences && args.positions &&
              args.tables.pages && args.tables.stride > 0,
          "paged_attention: q, positions or page tables are missing or "
          "misaligned; allocate them");
  require(std::isfinite(args.scale) && args.scale > 0 && args.window >= 0 &&
              args.window <= most_count && args.longest > 0 &&
              args.longest <= most_count,
          "paged_attention: scale and longest must be above 0, window at least "
          "0; check the model config");
  require(args.tile_count >= 0 && args.tile_count <= most_grid_rows &&
              (args.tile_count == 0 || args.tiles) && args.single_count >= 0 &&
              args.single_count <= args.rows &&
              (args.single_count == 0 || args.single_rows),
          "paged_attention: a list of tiles or rows is missing or too long; "
          "see plan_attention");
}

void check_out(const attention_args& args) {
  const operand& out = args.out;
  const bool typed = out.type == dtype::bf16 || out.type == dtype::f16 ||
                     (is_scaled(out.type) && out.scales);
  require(typed && is_aligned16(out.data) && out.rows >= args.rows &&
              out.columns == args.heads * args.cache.head_dim,
          "paged_attention: out must be rows of heads * head_dim in bf16, f16 "
          "or bytes with scales; check it");
  require(
      is_aligned16(args.workspace) &&
          args.workspace_bytes >=
              row_bytes_f32(is_scaled(out.type) ? args.rows : 0, out.columns),
      "paged_attention: workspace too small or misaligned; ask "
      "attention_workspace_bytes");
}

attention_view view_of(const attention_args& args) {
  const bool rounded_later = is_scaled(args.out.type);
  return {.q = args.q,
          .cache = args.cache,
          .tables = args.tables,
          .row_sequences = args.row_sequences,
          .positions = args.positions,
          .heads = static_cast<int>(args.heads),
          .group = static_cast<int>(args.heads / args.cache.kv_heads),
          .page_shift = std::countr_zero(
              static_cast<std::uint64_t>(args.cache.page_tokens)),
          .window = static_cast<int>(args.window),
          .scale = args.scale * log2_of_e,
          .slopes = args.slopes,
          .slope_unit = 1 / args.scale,
          .out = rounded_later ? args.workspace : args.out.data,
          .out_type = rounded_later ? dtype::f32 : args.out.type};
}

// As many rows in a launch as the workspace has room for.
void start_singles(const attention_args& args, const attention_view& view,
                   std::span<std::byte> workspace, stream& in) {
  const bool every = args.tile_count == 0 && !args.single_rows;
  const std::int64_t count = every ? args.rows : args.single_count;
  if (count == 0)
    return;
  const auto spans = spans_of(args.longest, args.window);
  const auto states = state_bytes(args.heads, spans);
  const auto sums = sum_bytes(args.heads, args.cache.head_dim, spans);
  const auto room =
      static_cast<std::int64_t>(workspace.size() / (states + sums));
  require(room > 0, "paged_attention: workspace too small; ask "
                    "attention_workspace_bytes");
  const std::int64_t most = std::min({room, count, most_grid_rows});
  // Sums first: both parts stay 16-byte aligned.
  auto* const states_at =
      workspace.data() + static_cast<std::size_t>(most) * sums;
  const span_results results{reinterpret_cast<floats2*>(states_at),
                             reinterpret_cast<float*>(workspace.data()),
                             static_cast<int>(spans)};
  for (std::int64_t first = 0; first < count; first += most) {
    const single_rows rows{every ? nullptr : args.single_rows, first,
                           std::min(most, count - first)};
    start_decode(view, rows, results, in);
    start_merge(view, rows, results, in);
  }
}

} // namespace

std::size_t attention_workspace_bytes(std::int64_t rows,
                                      std::int64_t single_rows,
                                      std::int64_t heads, std::int64_t head_dim,
                                      std::int64_t longest) {
  require(rows >= 0 && rows <= most_count && single_rows >= 0 &&
              single_rows <= rows && heads > 0 && heads <= 65536 &&
              head_dim > 0 && head_dim <= 256 && longest >= 0 &&
              longest <= most_count,
          "attention_workspace_bytes: shape out of range; check the model");
  const auto spans = spans_of(longest, 0);
  const auto one =
      state_bytes(heads, spans) + sum_bytes(heads, head_dim, spans);
  const auto wanted = static_cast<std::size_t>(single_rows) * one;
  return row_bytes_f32(rows, heads * head_dim) +
         aligned(std::min(wanted, std::max(enough_bytes, one)));
}

void paged_attention(const attention_args& args, stream& in) {
  require(args.rows >= 0 && args.rows <= most_count,
          "paged_attention: rows must be at least 0; check the plan");
  if (args.rows == 0)
    return;
  check_cache(args);
  check_rows(args);
  check_out(args);
  const bool rounded_later = is_scaled(args.out.type);
  const auto kept =
      row_bytes_f32(rounded_later ? args.rows : 0, args.out.columns);
  const auto view = view_of(args);
  if (args.tile_count > 0)
    start_prompt(view, args.tiles, args.tile_count, in);
  start_singles(args, view,
                {args.workspace + kept, args.workspace_bytes - kept}, in);
  if (rounded_later)
    start_rounding(reinterpret_cast<const float*>(args.workspace),
                   args.positions,
                   {args.out.data, args.out.scales, args.out.type, args.rows,
                    args.out.columns},
                   in);
}

} // namespace sluice::cuda
