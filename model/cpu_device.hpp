// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/thread_pool.hpp"
#include "model/compute_device.hpp"

#include <optional>

namespace sluice {

struct engine_options {
  int threads = 1;                    // the caller included
  std::optional<instruction_set> isa; // nothing: the best of this CPU
  bool pin = false;                   // bind threads to CPUs, if those suffice
};

/// Threads of this machine with one path of the kernels. Lanes borrow both:
/// the device outlives them.
class cpu_device : public compute_device {
public:
  /// @throws contract_violation if the CPU lacks `isa` or threads is absurd.
  explicit cpu_device(const engine_options& options);

  std::string name() const override;
  const weight_packing* packing() const override { return &ops_->packing; }
  std::unique_ptr<lane_device>
  make_lane(std::shared_ptr<const loaded_model> model,
            const lane_options& options, const progress_fn& progress) override;
  void pin_caller() const override { pool_.pin_caller(); }
  void unpin_caller() const override { pool_.unpin_caller(); }

private:
  const op_table* ops_;
  thread_pool pool_;
};

} // namespace sluice
