// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/determinism.hpp"
#include "kernels/cuda/device_weight.hpp"
#include "kernels/cuda/page_moves.hpp"
#include "kernels/cuda/runtime.hpp"
#include "kernels/ops.hpp"
#include "kernels/tensor.hpp"

#include <cstdint>
#include <span>

// Every operation of a forward pass on a GPU. The contracts are those of
// kernels/ops.hpp, and these rules:
// - pointers are device memory, caller-owned, 16-byte aligned; an op allocates
//   nothing and returns as soon as its kernels are in the stream;
// - sizes on the host are those of the launch: they depend on nothing that a
//   recorded graph would have to change. `rows` may be more than there are
//   positions: a row whose position is below 0 is skipped, its results are
//   undefined but written inside bounds or not at all;
// - activations that are summed over layers are f32; what a matmul reads is an
//   `operand`, rounded once by the op that makes it;
// - contract 1: a row's result is the same bytes whatever `rows` is.
// Host-side mistakes (shapes, alignment, types) throw contract_violation before
// anything is started; what a GPU meets later comes from stream::wait().

namespace sluice::cuda {

/// What the tensor cores read as x: [rows, columns], row-major, contiguous.
/// bf16 or f16, or i8 or f8_e4m3 with one scale a row: x = stored * scale,
/// scale = max|x| / 127 or / 448, rounded to nearest even; a row below 1e-30
/// throughout is 0, one with a NaN or an infinity has the scale NaN.
struct operand {
  std::byte* data = nullptr;
  float* scales = nullptr; // i8, f8_e4m3: [rows]
  dtype type = dtype::bf16;
  std::int64_t rows = 0;
  std::int64_t columns = 0; // a multiple of 16
};

/// f32 rows, as kernels/tensor.hpp, in device memory; strides a multiple of 4.
using device_rows = activations;

/// As embed_rows_args: residual stream = table[ids].
struct embed_args {
  const std::byte* table = nullptr; // [vocabulary, hidden] bf16 or f16
  dtype type = dtype::bf16;
  std::int64_t vocabulary = 0;
  const std::int32_t* ids = nullptr; // [rows]; outside the table: skipped
  device_rows out;                   // [rows, hidden]
};
void embed(const embed_args& args, stream& in);

/// out = rms_norm(x), or with `update`: x += update first, in f32.
struct norm_args {
  device_rows x;                 // [rows, hidden]; updated if update.data
  device_rows update;            // [rows, hidden], or data null
  const float* weight = nullptr; // [hidden]
  float epsilon = 1e-5f;
  operand out; // [rows, hidden]
};
void rms_norm(const norm_args& args, stream& in);

/// out = silu(gate) * up.
struct gate_args {
  device_rows gate; // [rows, ffn]
  device_rows up;   // [rows, ffn]
  operand out;      // [rows, ffn]
};
void swiglu(const gate_args& args, stream& in);

/// Copies rows of f32 by index: out[i] = x[rows[i]], skipped if rows[i] < 0.
struct gather_args {
  device_rows x;
  const std::int32_t* rows = nullptr; // [out.rows]
  device_rows out;
};
void gather_rows(const gather_args& args, stream& in);

/// As rope_angles_args.
struct angle_args {
  const std::int32_t* positions = nullptr; // [rows]
  const float* inv_freq = nullptr;         // [rotary_dim / 2]
  std::int64_t rows = 0;
  std::int64_t rotary_dim = 0;
  float scale = 1;
  float* cos_sin = nullptr; // [rows, rotary_dim]
};
void rope_angles(const angle_args& args, stream& in);

/// As rope_store_kv_args; q leaves rotated and rounded as attention reads it,
/// in the type of the cache (of i8 and f8_e4m3: f16).
struct rope_args {
  device_rows q, k, v; // parts of one row of qkv; read only
  const float* cos_sin = nullptr;
  std::int64_t rotary_dim = 0;
  rope_layout layout = rope_layout::half_split;
  const std::int64_t* slots = nullptr; // [rows]; below 0: skipped
  kv_view cache;                       // f16, bf16, i8 or f8_e4m3, in device
                                       // memory
  std::byte* q_out = nullptr;          // [rows, heads * head_dim]
};
void rope_store_kv(const rope_args& args, stream& in);

/// The page tables of a step, in device memory.
struct device_tables {
  const std::uint32_t* pages = nullptr; // [sequences, stride]
  std::int64_t stride = 0;              // entries of one sequence
};

/// Neighbouring rows of one sequence, which share what they read of the cache.
struct attention_tile {
  std::int32_t row = 0; // the first
  std::int32_t count = 0;
};

/// As paged_attention_args. Keys are taken in spans of absolute positions whose
/// length depends on nothing; each span's softmax stands apart and spans are
/// merged in order, the same way for rows in tiles, which is fast for prompts,
/// and for single rows, whose spans run in parallel: a row's result is the same
/// bytes from both. plan_attention() (attention.hpp) makes the lists; recorded
/// graphs have none, and every row is a single one.
struct attention_args {
  const std::byte* q = nullptr; // [rows, heads * head_dim], q_out of rope
  kv_view cache;                // head_dim 16 (not of bytes), 32, 64, 96, 128,
                                // 256
  device_tables tables;
  const std::int32_t* row_sequences = nullptr; // [rows]
  const std::int32_t* positions = nullptr;     // [rows]
  std::int64_t rows = 0;
  const attention_tile* tiles = nullptr; // [tile_count], in device memory
  std::int64_t tile_count = 0;
  const std::int32_t* single_rows = nullptr; // [single_count], in device memory
  std::int64_t single_count = 0;             // without tiles both may be unset:
                                             // all rows
  std::int64_t heads = 0;
  float scale = 1; // > 0
  std::int64_t window = 0;
  const float* slopes = nullptr; // ALiBi: [heads], device memory; or none
  std::int64_t longest = 0; // no position is at or past it; bounds the grid
  operand out;              // [rows, heads * head_dim], of any type
  std::byte* workspace = nullptr;  // 16-byte aligned
  std::size_t workspace_bytes = 0; // attention_workspace_bytes or more: with
                                   // more of it there are fewer launches
};

/// Workspace for a call of this many rows, `single_rows` of them outside tiles.
/// Grows with every argument.
/// @throws contract_violation for a negative or a huge shape.
std::size_t attention_workspace_bytes(std::int64_t rows,
                                      std::int64_t single_rows,
                                      std::int64_t heads, std::int64_t head_dim,
                                      std::int64_t longest);
void paged_attention(const attention_args& args, stream& in);

/// out = x * weight^T + bias for every projection. The weights are widened to
/// the operand's type (block scales apply in f32 to each block's sum) and
/// multiplied on tensor cores with f32 sums. K is cut into slices whose number
/// depends on the weight's shape alone; each is summed in K order and slices
/// are added in order, the same way for every M. w8a8: int32 sums, times both
/// scales; fp8: sums of 64 columns on tensor cores, those in f32, times both.
/// In fast mode the number of slices is chosen for M and the GPU, and long
/// prompts of bf16, f16 and w8a8 go to cuBLASLt, if the machine has it.
struct matmul_args {
  operand x; // [M, K], of operand_type() of every weight
  std::span<const device_projection> projections;
  std::byte* workspace = nullptr;  // zeroed once before its first use; every
                                   // call leaves it as it found it
  std::size_t workspace_bytes = 0; // matmul_workspace_bytes
  determinism mode = determinism::strict;
};

/// Of fast mode it has room for what cuBLASLt needs, too, which is done without
/// where there is less.
std::size_t matmul_workspace_bytes(std::int64_t most_rows,
                                   std::int64_t most_outputs,
                                   determinism mode = determinism::strict);
void matmul(const matmul_args& args, stream& in);

/// Where move_pages() takes pages from and puts them.
enum class page_route : std::uint8_t {
  within_cache,
  to_slots,  // from the cache
  from_slots // into the cache
};

/// Moves whole pages: all layers of K, V and their scales. A slot is a page in
/// one piece, as for_each_page_part() gives it: per layer K, V and the scales
/// of K and of V. The moves give what they give one after the other; as many as
/// their order allows are one launch. No more is needed of the host than the
/// call: the list goes along as a parameter.
struct page_move_args {
  kv_view first_layer;
  std::int64_t layers = 1;
  std::int64_t layer_bytes = 0; // from one layer to the next
  std::byte* slots = nullptr;   // of no use within the cache; none of it is
  std::int64_t slot_count = 0;  // memory of the cache
  page_route route = page_route::within_cache;
  std::span<const page_move> moves; // host memory; need not outlive the call
};
void move_pages(const page_move_args& args, stream& in);

} // namespace sluice::cuda
