// SPDX-License-Identifier: Apache-2.0
#include "kernels/contracts.hpp"

#include "kernels/check.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace sluice {

namespace {

template <class T>
std::int64_t count(std::span<T> items) {
  return static_cast<std::int64_t>(items.size());
}

bool well_formed(const activations& a) {
  return a.rows >= 0 && a.columns >= 0 && a.row_stride >= a.columns &&
         (a.data != nullptr || a.rows * a.columns == 0);
}

bool same_shape(const activations& a, const activations& b) {
  return well_formed(a) && well_formed(b) && a.rows == b.rows &&
         a.columns == b.columns;
}

bool well_formed(const matrix_view& w) {
  return w.rows >= 0 && w.columns >= 0 && w.type != dtype::i32 &&
         (w.layout == weight_layout::panels ||
          w.row_stride_bytes >= row_bytes(w.type, w.columns)) &&
         (w.data != nullptr || w.rows * w.columns == 0);
}

bool well_formed(const kv_view& kv) {
  const bool scaled = kv.k_scales != nullptr && kv.v_scales != nullptr;
  const bool type_ok = kv.type == dtype::f32 || kv.type == dtype::f16 ||
                       kv.type == dtype::bf16 || (is_scaled(kv.type) && scaled);
  const auto page = static_cast<std::uint64_t>(kv.page_tokens);
  return kv.k != nullptr && kv.v != nullptr && type_ok && kv.pages > 0 &&
         kv.kv_heads > 0 && kv.head_dim > 0 && kv.page_tokens >= 8 &&
         kv.page_tokens <= 128 && std::has_single_bit(page);
}

bool usable_epsilon(float epsilon) {
  return std::isfinite(epsilon) && epsilon >= 0;
}

bool aligned(std::span<std::byte> workspace) {
  return reinterpret_cast<std::uintptr_t>(workspace.data()) % 64 == 0;
}

bool large_enough(std::span<std::byte> workspace, const activations& x) {
  return workspace.size() >= matmul_workspace_bytes(x.rows, x.columns);
}

bool usable(quantized_rows quantized, const activations& out) {
  return quantized.empty() ||
         (aligned(quantized) && large_enough(quantized, out));
}

template <class T>
bool all_within(std::span<const T> items, std::int64_t end) {
  return std::all_of(items.begin(), items.end(), [end](T item) {
    return item >= 0 && static_cast<std::int64_t>(item) < end;
  });
}

/// Hands out the parts of a workspace, each 64-byte aligned.
class workspace_layout {
public:
  explicit workspace_layout(std::byte* start) : start_(start) {}

  template <class T>
  T* take(std::int64_t elements) {
    std::byte* first = start_ != nullptr ? start_ + used_ : nullptr;
    used_ += (static_cast<std::size_t>(elements) * sizeof(T) + 63) / 64 * 64;
    return reinterpret_cast<T*>(first);
  }

  std::size_t used() const { return used_; }

private:
  std::byte* start_;
  std::size_t used_ = 0;
};

// Every page that a row of the sequence at `position` may read exists.
bool reachable(page_list pages, std::int64_t position, const kv_view& kv) {
  return position >= 0 && position < count(pages) * kv.page_tokens;
}

bool pages_exist(std::span<const page_list> sequences, const kv_view& kv) {
  return std::all_of(sequences.begin(), sequences.end(), [&](page_list pages) {
    return std::all_of(pages.begin(), pages.end(), [&](std::uint32_t page) {
      return static_cast<std::int64_t>(page) < kv.pages;
    });
  });
}

} // namespace

void check(const embed_rows_args& args) {
  require(well_formed(args.table) && well_formed(args.out),
          "embed_rows: malformed view; check data, shape and stride");
  require(args.out.rows == count(args.ids) &&
              args.out.columns == args.table.columns,
          "embed_rows: out must be [ids, table columns]; resize it");
  require(all_within(args.ids, args.table.rows),
          "embed_rows: token id outside the vocabulary; check the tokenizer "
          "against the model");
}

void check(const rms_norm_args& args) {
  require(same_shape(args.x, args.out),
          "rms_norm: x and out must have one shape; check both views");
  require(count(args.weight) == args.x.columns,
          "rms_norm: weight must have one value per column; check the tensor");
  require(usable_epsilon(args.epsilon),
          "rms_norm: epsilon must be finite and >= 0; check the model config");
  require(usable(args.quantized, args.out),
          "rms_norm: quantized must be a matmul's workspace for out, 64-byte "
          "aligned; ask matmul_workspace_bytes");
}

void check(const add_rms_norm_args& args) {
  require(same_shape(args.x, args.residual),
          "add_rms_norm: x and residual must have one shape; check both views");
  check(rms_norm_args{args.x, args.weight, args.epsilon, args.out,
                      args.quantized});
}

void check(const matmul_args& args) {
  require(well_formed(args.x), "matmul: malformed x; check data and stride");
  for (const projection& p : args.projections) {
    require(well_formed(p.weight) && well_formed(p.out),
            "matmul: malformed view; check data, dtype, shape and stride");
    require(args.x.columns == p.weight.columns,
            "matmul: x and weight must agree on K; check the tensor's shape");
    require(p.out.rows == args.x.rows && p.out.columns == p.weight.rows,
            "matmul: out must be [x rows, weight rows]; resize it");
    require(p.bias.empty() || count(p.bias) == p.weight.rows,
            "matmul: bias must have one value per weight row; check the "
            "tensor");
    require(!args.quantized || quantizes_input(p.weight.type),
            "matmul: this weight reads f32 rows; do not hand it quantised "
            "ones");
  }
  require(large_enough(args.workspace, args.x),
          "matmul: workspace too small; ask matmul_workspace_bytes");
  require(aligned(args.workspace),
          "matmul: workspace must be 64-byte aligned; allocate it so");
}

void check(const rope_angles_args& args) {
  require(count(args.cos_sin) ==
              2 * count(args.positions) * count(args.inv_freq),
          "rope_angles: cos_sin must be [positions, 2 * inv_freq]; resize it");
  require(all_within(args.positions, std::int64_t{1} << 31),
          "rope_angles: positions must be >= 0; check the plan");
}

void check(const rope_store_kv_args& args) {
  const std::int64_t tokens = args.q.rows;
  const kv_view& kv = args.cache;
  require(well_formed(kv),
          "rope_store_kv: malformed cache; check dtype, scales, page size and "
          "shape");
  require(well_formed(args.q) && same_shape(args.k, args.v) &&
              args.k.rows == tokens && count(args.slots) == tokens,
          "rope_store_kv: q, k, v and slots must have one row per token");
  require(args.k.columns == kv.kv_heads * kv.head_dim &&
              args.q.columns % kv.head_dim == 0,
          "rope_store_kv: rows must be heads * head_dim; check the model");
  require(args.rotary_dim >= 0 && args.rotary_dim % 2 == 0 &&
              args.rotary_dim <= kv.head_dim &&
              count(args.cos_sin) == tokens * args.rotary_dim,
          "rope_store_kv: cos_sin must be [tokens, rotary_dim], rotary_dim "
          "even and <= head_dim; see rope_angles");
  require(all_within(args.slots, kv.pages * kv.page_tokens),
          "rope_store_kv: slot outside the cache; check the page table");
}

void check(const paged_attention_args& args) {
  const kv_view& kv = args.cache;
  require(well_formed(kv) && kv.head_dim <= 256,
          "paged_attention: malformed cache, or head_dim above 256; check "
          "dtype, scales, page size and shape");
  require(same_shape(args.q, args.out) &&
              args.q.columns == args.heads * kv.head_dim &&
              count(args.row_sequences) == args.q.rows &&
              count(args.positions) == args.q.rows,
          "paged_attention: q, out, row_sequences and positions must have one "
          "row per token, q and out heads * head_dim columns");
  require(args.heads > 0 && args.heads % kv.kv_heads == 0 &&
              args.heads / kv.kv_heads <= 128,
          "paged_attention: heads must be a multiple of kv_heads, at most 128 "
          "times; check the model config");
  require(std::isfinite(args.scale) && args.window >= 0,
          "paged_attention: scale must be finite and window >= 0");
  require(aligned(args.workspace),
          "paged_attention: workspace must be 64-byte aligned; allocate it so");
  require(all_within(args.row_sequences, count(args.sequences)),
          "paged_attention: row of an unknown sequence; check the plan");
  require(pages_exist(args.sequences, kv),
          "paged_attention: page outside the cache; check the page table");
  for (std::size_t r = 0; r < args.positions.size(); ++r) {
    const auto s = static_cast<std::size_t>(args.row_sequences[r]);
    require(reachable(args.sequences[s], args.positions[r], kv),
            "paged_attention: position past the page table; grant pages first");
  }
}

void check(const swiglu_args& args) {
  require(same_shape(args.gate, args.up) && same_shape(args.gate, args.out),
          "swiglu: gate, up and out must have one shape; check the views");
  require(usable(args.quantized, args.out),
          "swiglu: quantized must be a matmul's workspace for out, 64-byte "
          "aligned; ask matmul_workspace_bytes");
}

bool quantizes_input(dtype weight_type) {
  return weight_type != dtype::f32 && weight_type != dtype::f16 &&
         weight_type != dtype::bf16;
}

std::size_t matmul_workspace_bytes(std::int64_t m, std::int64_t k) {
  return split_workspace(nullptr, m, k).bytes;
}

matmul_workspace split_workspace(std::byte* start, std::int64_t m,
                                 std::int64_t k) {
  require(m >= 0 && k >= 0, "matmul_workspace_bytes: shape must be >= 0");
  constexpr std::int64_t group = integer_input::group;
  const std::int64_t groups = k / group + (k % group != 0);
  std::int64_t rows = 0; // of one group each
  require(!__builtin_mul_overflow(m, groups, &rows) &&
              rows < (std::int64_t{1} << 48),
          "matmul_workspace_bytes: the size overflows; check the shape");
  workspace_layout parts(start);
  matmul_workspace all;
  all.integers = {.rows = m,
                  .groups = groups,
                  .values = parts.take<std::int8_t>(rows * group),
                  .scales = parts.take<float>(rows),
                  .sums16 = parts.take<std::int32_t>(rows * 16),
                  .sums32 = parts.take<std::int32_t>(rows * 8),
                  .short32 = parts.take<std::int16_t>(rows * 8),
                  .sums = parts.take<std::int32_t>(rows)};
  all.bf16 = parts.take<std::uint16_t>(m * ((k + 31) / 32 * 32));
  all.f32 = parts.take<float>(m * ((k + 15) / 16 * 16));
  all.bytes = parts.used();
  return all;
}

std::size_t paged_attention_workspace_bytes(std::int64_t heads,
                                            std::int64_t head_dim) {
  require(heads >= 0 && heads <= 65536 && head_dim >= 0 && head_dim <= 256,
          "paged_attention_workspace_bytes: at most 65,536 heads of 256");
  constexpr std::int64_t spans = 512;
  constexpr std::int64_t state_bytes = 64;
  const std::int64_t slot_bytes = state_bytes + (head_dim + 15) / 16 * 64;
  constexpr std::int64_t counter_bytes = 65536;
  return static_cast<std::size_t>(counter_bytes + heads * spans * slot_bytes);
}

} // namespace sluice
