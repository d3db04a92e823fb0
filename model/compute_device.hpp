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

/// The end of a step's work on a device that works by itself.
class step_end {
public:
  virtual ~step_end() = default;

  /// Does not wait. @throws what the device says of the work.
  virtual bool reached() const = 0;

  /// May be called from any thread, whatever the others do.
  /// @throws as reached().
  virtual void wait() const = 0;
};

/// Steps that may be started before the oldest of them is finished.
inline constexpr std::uint32_t most_started_steps = 2;

/// A step from its start to its finish: all of this stays where it is.
struct device_step {
  const lane_batch& batch;
  step_answer& answer;
  std::uint32_t place = 0; // below most_started_steps; no other step that is
                           // under way has it
};

/// One lane's part of a device: weights, KV bytes and the work on them. It
/// knows positions and page numbers; which sequences there are is the lane's.
class lane_device {
public:
  virtual ~lane_device() = default;

  /// Starts a step: carries out what the plan says of pages (first what goes
  /// out, then what comes in, then the copies), runs the forward pass of a
  /// batch that is not empty, then samples and scores what its rows ask for.
  /// Steps take effect in the order in which they are started.
  /// @param plan      need not outlive the call, but for what the batch names.
  /// @param observer  sees every row of logits before it is sampled; may be
  ///                  empty.
  /// @return when finish() need not wait, valid until two more steps have been
  ///         started; null if that is now.
  /// @throws contract_violation for a page or slot that there is not, or if a
  ///         kernel refuses; std::bad_alloc: the step failed as a whole and
  ///         nothing of it is under way.
  virtual const step_end* start(const messages::StepPlan& plan,
                                const logits_observer& observer,
                                const device_step& step) = 0;

  /// Waits for the oldest step under way.
  /// @param step  as it was started. Its answer receives tokens, scores, row
  ///              errors and the times.
  /// @throws what the device says: the step failed as a whole.
  virtual void finish(const device_step& step) = 0;

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
  /// @param progress  of that copy, from the calling thread; may be empty.
  /// @throws contract_violation for impossible options, memory_error if the
  ///         memory cannot be had.
  virtual std::unique_ptr<lane_device>
  make_lane(std::shared_ptr<const loaded_model> model,
            const lane_options& options, const progress_fn& progress) = 0;

  /// Binds the calling thread, which will run the steps, to a CPU, and undoes
  /// it; nothing where that does not matter.
  virtual void pin_caller() const {}
  virtual void unpin_caller() const {}
};

} // namespace sluice
