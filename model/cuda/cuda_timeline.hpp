// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/runtime.hpp"
#include "model/compute_device.hpp"

#include <array>
#include <cstddef>

namespace sluice {

/// When the steps of one device began and ended, by its own clock.
class cuda_timeline {
public:
  /// One step.
  class entry : public step_end {
  public:
    bool reached() const override { return done_.reached(); }
    void wait() const override { done_.wait(); }

    /// The moves of its pages that its kernels wait for are in the stream, its
    /// kernels come next. Bytes that are on their way to the host or from there
    /// beside other steps' kernels cost none of its time.
    void moved(cuda::stream& in) { moved_.record(in); }
    void ended(cuda::stream& in);

    /// Adds where its time went. It has been reached.
    void tell(step_times& times) const;

  private:
    friend class cuda_timeline;
    cuda::event begun_;
    cuda::event moved_;
    cuda::event done_;
    const entry* before_ = nullptr; // the step before, if that is known
    bool whole_ = false;            // everything was put into the stream
  };

  /// The next step begins: valid until two more have ended.
  entry& begin(cuda::stream& in);

private:
  // Those under way, the one before them and the one that begins.
  std::array<entry, most_started_steps + 2> entries_;
  std::size_t steps_ = 0;
};

} // namespace sluice
