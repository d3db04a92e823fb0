// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/ops.hpp"
#include "memory/kv_layout.hpp"
#include "model/lane_batch.hpp"
#include "model/lane_options.hpp"
#include "model/loaded_model.hpp"
#include "model/logits_observer.hpp"
#include "model/step_answer.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace sluice {

/// The KV store of a lane, on whatever device.
inline kv_shape shape_of(const architecture& arch,
                         const lane_options& options) {
  return {.layers = arch.layers,
          .kv_heads = arch.kv_heads,
          .head_dim = arch.head_dim,
          .pages = options.kv_pages,
          .page_tokens = options.page_tokens,
          .type = options.kv_type};
}

/// What a lane has on its device.
struct device_bytes {
  std::uint64_t kv = 0;
  std::uint64_t page = 0; // of one KV page
  std::uint64_t weights = 0;
};

/// One lane's part of a device: weights, KV bytes and the work on them. It
/// knows positions and page numbers; which sequences there are is the lane's.
class lane_device {
public:
  virtual ~lane_device() = default;

  /// Carries out what a plan says of pages: first what goes out, then what
  /// comes in, then the copies.
  /// @throws contract_violation for a page or slot that there is not.
  virtual void move_pages(const messages::StepPlan& plan) = 0;

  /// Runs the forward pass of a batch that is not empty, then samples and
  /// scores what its rows ask for.
  /// @param observer  sees every row of logits before it is sampled; may be
  ///                  empty.
  /// @param answer    receives tokens, scores, row errors and the times.
  /// @throws contract_violation, std::bad_alloc: the step failed as a whole.
  virtual void run(const lane_batch& batch, const logits_observer& observer,
                   step_answer& answer) = 0;

  virtual device_bytes bytes() const = 0;
};

/// What computes: a CPU's threads or a GPU.
/// @note one calling thread at a time.
class compute_device {
public:
  virtual ~compute_device() = default;

  /// "avx512", or a GPU's name.
  virtual std::string name() const = 0;

  /// How load_weights() is to lay weights out; null: rows.
  virtual const weight_packing* packing() const = 0;

  /// Whether it multiplies fp8 weights; else they are loaded as bf16.
  virtual bool multiplies_fp8() const { return false; }

  /// Bytes that the KV cache of a lane may take beside its weights and work, if
  /// the device knows; nothing: as many as the configuration says.
  /// @throws std::runtime_error with the numbers and a remedy if weights and
  ///         work alone do not fit.
  virtual std::optional<std::uint64_t>
  kv_bytes_beside(const loaded_model& /*model*/,
                  const lane_options& /*options*/) const {
    return std::nullopt;
  }

  /// Takes memory for a lane, whose weights it may copy.
  /// @throws contract_violation for impossible options, memory_error if the
  ///         memory cannot be had.
  virtual std::unique_ptr<lane_device>
  make_lane(std::shared_ptr<const loaded_model> model,
            const lane_options& options) = 0;

  /// Binds the calling thread, which will run the steps, to a CPU, and undoes
  /// it; nothing where that does not matter.
  virtual void pin_caller() const {}
  virtual void unpin_caller() const {}
};

} // namespace sluice
