// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/ops.hpp"
#include "memory/kv_store.hpp"
#include "model/loaded_model.hpp"
#include "model/transformer_scratch.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace sluice {

/// A token that only the device knows yet: what the lane's step before chooses.
struct taken_token {
  std::uint32_t at = 0;   // index of the position that it goes into
  std::uint32_t from = 0; // among the wanted positions of the step before
};

/// The positions of one step, of all sequences, one after the other.
struct step_positions {
  std::span<const std::int32_t> tokens;      // [positions], ids below vocab
                                             // or, if they are taken, -1
  std::span<const std::int32_t> positions;   // [positions], absolute
  std::span<const std::int64_t> slots;       // [positions], in the KV store
  std::span<const std::int32_t> sequence_of; // [positions], index of tables
  std::span<const page_list> tables;         // [sequences]
  std::span<const std::int32_t> wanted;      // ascending indices of positions
                                             // whose logits are wanted
  std::span<const taken_token> taken;        // none if no step is under way
};

/// The forward pass of a decoder-only transformer over the ops of one
/// instruction set. It reads the architecture as data and is constant: KV,
/// scratch and threads are arguments.
class transformer {
public:
  transformer(std::shared_ptr<const loaded_model> model, const op_table& ops);

  /// Runs all layers: stores K and V of every position and leaves the final
  /// hidden states of the wanted ones in `scratch`.
  /// @throws contract_violation if a kernel refuses its arguments.
  /// @note allocates nothing.
  void forward(const step_positions& step, const kv_store& cache,
               transformer_scratch& scratch, thread_pool& pool) const;

  /// Logits of wanted positions `first` .. `first + count - 1` of the forward
  /// pass before.
  /// @param count  at most scratch.logit_rows().
  /// @return [count, vocab], in `scratch`, free to be overwritten.
  activations logits(std::int64_t first, std::int64_t count,
                     transformer_scratch& scratch, thread_pool& pool) const;

  const loaded_model& model() const noexcept { return *model_; }

private:
  struct layer_pass;
  struct qkv_parts {
    activations q, k, v;
  };

  /// A norm of the hidden states.
  struct norm {
    std::span<const float> weight;
    bool quantized; // all that multiply its result would quantise it, so that
                    // it is left quantised in the workspace
  };

  // In the order of the pass; what each reads -> what it writes.
  // tokens -> residual, normed
  void begin(const step_positions& step, transformer_scratch& scratch,
             thread_pool& pool) const;
  // normed -> qkv; "normed" and swiglu's result may be quantised instead
  void project_qkv(const layer_pass& pass) const;
  // qkv -> the KV cache, attended
  void attend(const layer_pass& pass) const;
  // attended -> update
  void project_attended(const layer_pass& pass) const;
  // normed -> update
  void feed_forward(const layer_pass& pass) const;
  // update -> residual, normed
  void add_and_norm(const layer_pass& pass, const norm& next) const;
  void keep_wanted(layer_pass& pass) const;

  qkv_parts split_qkv(const layer_pass& pass) const;
  void matmul(const layer_pass& pass, const activations& x,
              std::span<const projection> projections,
              bool quantized = false) const;
  norm norm_of_layer(std::size_t layer) const;
  norm norm_after(std::size_t layer) const;

  std::shared_ptr<const loaded_model> model_;
  const op_table* ops_;
  std::vector<float> inv_freq_; // [rotary_dim / 2]
};

} // namespace sluice
