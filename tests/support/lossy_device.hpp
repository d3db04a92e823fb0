// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "kernels/device_error.hpp"
#include "model/device_source.hpp"

// A device that is lost when a test says so, over one that is not.
namespace sluice::tests {

/// When devices are lost; shared by all that come after one another.
struct loss_script {
  std::uint64_t steps = 0;       // begun, in all lives
  std::set<std::uint64_t> fatal; // of them, counted from 1
  /// Or what a step must not have.
  std::function<bool(const lane_batch&)> is_poison;
  std::uint64_t lives = 0;     // of devices
  std::uint64_t stillborn = 0; // devices that cannot be made, of the next ones
  bool sticky = true;          // what they throw

  bool strikes(const lane_batch& batch) {
    return fatal.contains(++steps) || (is_poison && is_poison(batch));
  }
};
using loss_script_ptr = std::shared_ptr<loss_script>;

class lossy_lane : public lane_device {
public:
  lossy_lane(std::unique_ptr<lane_device> inner, loss_script_ptr script)
      : inner_{std::move(inner)}, script_{std::move(script)} {}

  const step_end* start(const messages::StepPlan& plan,
                        const logits_observer& observer,
                        const device_step& step) override {
    refuse_if_lost();
    const auto* end = inner_->start(plan, observer, step);
    lost_ = !step.batch.rows().empty() && script_->strikes(step.batch);
    return end;
  }

  /// The step that loses it is computed, and nobody hears of it.
  void finish(const device_step& step) override {
    inner_->finish(step);
    refuse_if_lost();
  }

  device_bytes bytes() const override { return inner_->bytes(); }

private:
  void refuse_if_lost() {
    if (!lost_)
      return;
    lost_ = script_->sticky;
    throw device_error{"an illegal memory access, as the test wants it",
                       script_->sticky};
  }

  std::unique_ptr<lane_device> inner_;
  loss_script_ptr script_;
  bool lost_ = false;
};

class lossy_device : public compute_device {
public:
  lossy_device(std::unique_ptr<compute_device> inner, loss_script_ptr script)
      : inner_{std::move(inner)}, script_{std::move(script)} {
    ++script_->lives;
    if (script_->stillborn == 0)
      return;
    --script_->stillborn;
    throw device_error{"the new device is broken, too", true};
  }

  std::string name() const override { return inner_->name(); }
  const weight_packing* packing() const override { return inner_->packing(); }
  std::optional<std::uint64_t>
  kv_bytes_beside(const loaded_model& model,
                  const lane_options& options) const override {
    return inner_->kv_bytes_beside(model, options);
  }
  std::unique_ptr<lane_device>
  make_lane(std::shared_ptr<const loaded_model> model,
            const lane_options& options, const progress_fn& progress) override {
    return std::make_unique<lossy_lane>(
        inner_->make_lane(std::move(model), options, progress), script_);
  }
  void pin_caller() const override { inner_->pin_caller(); }
  void unpin_caller() const override { inner_->unpin_caller(); }

private:
  std::unique_ptr<compute_device> inner_;
  loss_script_ptr script_;
};

inline device_wrapper losing(loss_script_ptr script) {
  return [script](std::unique_ptr<compute_device> inner)
             -> std::unique_ptr<compute_device> {
    return std::make_unique<lossy_device>(std::move(inner), script);
  };
}

} // namespace sluice::tests
