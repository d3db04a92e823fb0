// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/memory_plan.hpp"
#include "kernels/cuda/ops.hpp"
#include "model/compute_device.hpp"
#include "model/cuda/cuda_timeline.hpp"

#include <cstdint>
#include <memory>

namespace sluice {

struct cuda_options {
  int index = 0;   // of the GPU
  int threads = 1; // of the host, which lay weights out
  cuda::determinism mode = cuda::determinism::strict;
  bool graphs = true;                      // decode steps as recorded graphs
  std::uint32_t memory_percent = 90;       // of the GPU's, for all of a lane
  std::uint64_t staging_bytes = 64u << 20; // of it, most for swapped pages on
                                           // their way
};

/// One GPU, with one stream. Lanes borrow it: the device outlives them.
class cuda_device : public compute_device {
public:
  /// @throws contract_violation if there is no such GPU, with those there are;
  ///         cuda::device_error.
  explicit cuda_device(const cuda_options& options);

  std::string name() const override { return facts_.name; }
  const weight_packing* packing() const override { return nullptr; }
  bool multiplies_fp8() const override { return true; }
  std::optional<std::uint64_t>
  kv_bytes_beside(const loaded_model& model,
                  const lane_options& options) const override;
  std::unique_ptr<lane_device>
  make_lane(std::shared_ptr<const loaded_model> model,
            const lane_options& options, const progress_fn& progress) override;

  /// A thread begins with the first GPU, whichever the others have.
  void pin_caller() const override { cuda::use_device(options_.index); }

private:
  cuda::memory_plan plan(const loaded_model& model,
                         const lane_options& options) const;

  cuda_options options_;
  cuda::device_facts facts_;
  cuda::stream stream_;
  cuda_timeline timeline_;
};

} // namespace sluice
