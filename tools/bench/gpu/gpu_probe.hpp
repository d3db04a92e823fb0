// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/probe.hpp"
#include "kernels/cuda/runtime.hpp"

#include <cstdint>

namespace sluice::bench {

/// The GPU that is measured, made the calling thread's.
/// @throws contract_violation if CUDA has no such GPU.
cuda::device_facts gpu_at(int index);

/// A stream and a clock of a GPU, and the loops that show its limits.
class gpu_probe {
public:
  explicit gpu_probe(int index);

  /// Seconds of one of `count` runs, by the device's clock.
  /// @param start  puts one run into a stream.
  template <class Start>
  double time(const Start& start, int count) {
    begin_.record(stream_);
    for (int i = 0; i < count; ++i)
      start(stream_);
    end_.record(stream_);
    end_.wait();
    return end_.seconds_since(begin_) / count;
  }

  double read_bytes_per_second();
  double operations_per_second(cuda::product_kind kind);

  cuda::stream& stream() { return stream_; }
  std::uint64_t buffer_bytes() const { return buffer_.bytes(); }

private:
  cuda::device_facts facts_;
  cuda::stream stream_;
  cuda::event begin_;
  cuda::event end_;
  cuda::device_memory buffer_; // beyond all caches
  cuda::device_memory sink_;
};

} // namespace sluice::bench
