// SPDX-License-Identifier: Apache-2.0
#pragma once

// Every operation of a forward pass, declared once. A path (reference, cpu/*)
// fills one `op_table`; `select.hpp` picks it once at start.
//
// Rules for every op:
// - all data is caller-owned; an op allocates nothing and keeps nothing;
// - shapes, dtypes and indices are checked first and a mistake throws
//   contract_violation before anything is written;
// - the order of every reduction depends on the reduced length or the
//   absolute position alone: never on rows, tiles, chunks or threads, so each
//   row of a result is the same bytes whatever else is in the call.

#include "kernels/sampling.hpp"
#include "kernels/tensor.hpp"
#include "kernels/thread_pool.hpp"

#include <span>

namespace sluice {

enum class instruction_set : std::uint8_t {
  reference,
  portable,
  avx2,
  avx512,
  amx
};

/// Copies embedding rows as f32: out[i] = table[ids[i]].
struct embed_rows_args {
  matrix_view table; // [vocabulary, hidden], any dtype but i32, any layout
  std::span<const std::int32_t> ids; // [tokens], 0 <= id < table.rows
  activations out;                   // [tokens, hidden]
};

/// Where an op leaves rows that a matmul reads next, quantised as that matmul
/// would quantise them, to the last byte: its workspace, 64-byte aligned and of
/// matmul_workspace_bytes(tokens, columns). The op then writes no f32 rows: its
/// `out` gives their shape alone. Empty: f32 rows in `out`.
using quantized_rows = std::span<std::byte>;

/// Root-mean-square normalisation:
/// out = x / sqrt(mean(x^2) + epsilon) * weight.
/// @note accumulates in f32 in a fixed order per row.
/// @source Zhang and Sennrich 2019, equation 4.
struct rms_norm_args {
  activations x;                 // [tokens, hidden]
  std::span<const float> weight; // [hidden]
  float epsilon = 1e-5f;         // added to the mean square, finite, >= 0
  activations out;               // [tokens, hidden]; may be x itself
  quantized_rows quantized;      // instead of out
};

/// Residual connection and the norm after it, in one pass:
/// residual += x, then out = rms_norm(residual).
struct add_rms_norm_args {
  activations x;                 // [tokens, hidden]
  activations residual;          // [tokens, hidden], updated in place
  std::span<const float> weight; // [hidden]
  float epsilon = 1e-5f;         // as in rms_norm
  activations out;               // [tokens, hidden]; may be x itself
  quantized_rows quantized;      // instead of out
};

/// One weight matrix of a matmul and where its product goes.
struct projection {
  matrix_view weight;          // [N, K], any dtype but i32
  std::span<const float> bias; // [N], or empty for none
  activations out;             // [M, N]; must not overlap x
};

/// Matrix products of one x with transposed weights of any types and layouts:
/// out = x * weight^T + bias for every projection (q, k and v; gate and up).
/// f32, f16 and bf16 weights are widened and multiplied in f32; but x is first
/// rounded to bf16 (nearest even, subnormals to 0) for bf16 weights in panels
/// on a CPU with products of bf16 pairs. For all other types x is first
/// quantised, once for all projections, in groups of 256 elements (the last of
/// a row may be shorter): scale = max|x| / 127 in f32, int8 rounded to nearest
/// even. The blocks of a group are dotted in integers and scaled; groups are
/// summed in f32 in K order. A group of x below 1e-30 throughout counts as 0;
/// one with a NaN or an infinity makes its whole output row NaN on every path.
struct matmul_args {
  activations x; // [M, K]
  std::span<const projection> projections;
  std::span<std::byte> workspace; // matmul_workspace_bytes(M, K), 64-byte
                                  // aligned
  bool quantized = false; // the workspace has x already, as `quantized_rows`,
                          // and every weight quantises its input; x gives the
                          // shape alone
};

/// Workspace that a `matmul` of this shape needs, whatever its weights.
/// Grows with M and K, so the largest shape's workspace serves every call.
/// @throws contract_violation on an overflow or a negative shape.
std::size_t matmul_workspace_bytes(std::int64_t m, std::int64_t k);

/// Cosines and sines of the rotary embedding, once per step for all layers:
/// cos_sin[t] = {scale * cos(positions[t] * inv_freq[i])..., sines...}.
/// The angle is computed in double on every path.
/// @source Su et al. 2021, section 3.2.2.
struct rope_angles_args {
  std::span<const std::int32_t> positions; // [tokens], absolute, >= 0
  std::span<const float> inv_freq;         // [rotary_dim / 2]
  float scale = 1; // attention factor of scaled variants (YaRN), else 1
  std::span<float> cos_sin; // [tokens, rotary_dim]: half cosines, half sines
};

/// Which elements of a head rotate together. `half_split`: i with
/// i + rotary_dim / 2 (Hugging Face checkpoints); `interleaved`: 2 i with
/// 2 i + 1 (GGUF files of the llama family).
enum class rope_layout : std::uint8_t { half_split, interleaved };

/// Rotates q and k in place and stores k and v into the cache, rounded to
/// the cache dtype. Elements past rotary_dim are not rotated. For i8, a head
/// has scale = max|x| / 127 in f32 and x / scale rounded to nearest even; one
/// below 1e-30 throughout counts as 0, one with a NaN or an infinity gets the
/// scale NaN, so that whatever reads it becomes NaN. For f8_e4m3 the same with
/// scale = max|x| / 448.
struct rope_store_kv_args {
  activations q;                  // [tokens, heads * head_dim], in place
  activations k;                  // [tokens, kv_heads * head_dim], in place
  activations v;                  // [tokens, kv_heads * head_dim], read only
  std::span<const float> cos_sin; // [tokens, rotary_dim] from rope_angles
  std::int64_t rotary_dim = 0;    // even, <= head_dim; 0 rotates nothing
  rope_layout layout = rope_layout::half_split;
  std::span<const std::int64_t> slots; // [tokens], page * page_tokens + offset;
                                       // no slot twice
  kv_view cache;
};

/// The pages of one sequence in order of position: position p lies in
/// pages[p / page_tokens] at offset p % page_tokens.
using page_list = std::span<const std::uint32_t>;

/// Causal attention of one step over the paged cache, prompt chunks and
/// decodes in one call:
///   out[r, h] = softmax(scale * q[r, h] . K) V
/// over the positions of row r's sequence from 0, or from
/// position - window + 1, to its own position, all read from the cache, so
/// rope_store_kv runs first. Query head h reads kv head
/// h / (heads / kv_heads). Keys are taken in spans of 512 absolute positions,
/// whatever the page size; each span's softmax and sums stand apart and are
/// merged in order, the same way for prompt and decode rows.
/// @note fastest when the rows of a sequence are neighbours.
/// @source Milakov and Gimelshein 2018, algorithm 3; Dao 2023, section 3.1.
struct paged_attention_args {
  activations q;                        // [rows, heads * head_dim], rotated
  kv_view cache;                        // head_dim <= 256
  std::span<const page_list> sequences; // page tables
  std::span<const std::int32_t> row_sequences; // [rows], index of sequence
  std::span<const std::int32_t> positions;     // [rows], absolute, >= 0
  std::int64_t heads = 0;  // a multiple of cache.kv_heads, at most 128 times
  float scale = 1;         // usually 1 / sqrt(head_dim)
  std::int64_t window = 0; // positions a row sees, itself included; 0: all
  activations out;         // [rows, heads * head_dim]; must not overlap q
  std::span<std::byte> workspace; // 64-byte aligned; may be empty
};

/// Workspace that lets threads share the spans of a `paged_attention` call of
/// few rows and long contexts (1 row up to 262,144 positions, 16 rows up to
/// 16,384); without it, or past it, threads share rows and kv heads alone. The
/// result is the same.
/// @throws contract_violation for a negative shape.
std::size_t paged_attention_workspace_bytes(std::int64_t heads,
                                            std::int64_t head_dim);

/// Gated activation: out = silu(gate) * up, silu(x) = x / (1 + exp(-x)).
/// gate and up may be halves of one [tokens, 2 * ffn] buffer.
/// @source Shazeer 2020, equation 6.
struct swiglu_args {
  activations gate;         // [tokens, ffn]
  activations up;           // [tokens, ffn]
  activations out;          // [tokens, ffn]; may be gate or up itself
  quantized_rows quantized; // instead of out
};

/// How a path wants its weights: rearranged once at load into panels of
/// `panel_rows` neighbouring rows, so that one vector register holds the same
/// elements of all of them. A matrix of N rows has ceil(N / panel_rows) panels,
/// one after the other; rows past N are stored as zeros.
struct weight_packing {
  std::int64_t panel_rows; // 16, 8, ..; 1: rows are multiplied as they are

  /// Bytes of one panel, a multiple of 64; 0 if this path multiplies rows of
  /// the type as they are.
  /// @param columns  K, whole blocks of `type`.
  std::size_t (*panel_bytes)(dtype type, std::int64_t columns);

  /// Writes one panel.
  /// @param rows   1 to panel_rows rows of a matrix, layout rows.
  /// @param panel  panel_bytes(rows.type, rows.columns) bytes, 64-byte aligned.
  void (*pack_panel)(const matrix_view& rows, std::byte* panel);

  /// Expands one row: what dequantize_row makes of the row that was packed.
  /// @param panels  layout panels.
  /// @param out     panels.columns elements.
  void (*unpack_row)(const matrix_view& panels, std::int64_t row, float* out);
};

/// The ops of one path. Every entry is set; the argument structs above carry
/// the contracts.
struct op_table {
  instruction_set isa;
  weight_packing packing;
  void (*embed_rows)(const embed_rows_args&, thread_pool&);
  void (*rms_norm)(const rms_norm_args&, thread_pool&);
  void (*add_rms_norm)(const add_rms_norm_args&, thread_pool&);
  void (*matmul)(const matmul_args&, thread_pool&);
  void (*rope_angles)(const rope_angles_args&, thread_pool&);
  void (*rope_store_kv)(const rope_store_kv_args&, thread_pool&);
  void (*paged_attention)(const paged_attention_args&, thread_pool&);
  void (*swiglu)(const swiglu_args&, thread_pool&);
  sampled (*sample)(const sample_args&); // one row; rows may run in parallel
};

} // namespace sluice
