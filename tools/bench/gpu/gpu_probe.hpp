// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/probe.hpp"
#include "kernels/cuda/runtime.hpp"

#include <algorithm>
#include <cstdint>

namespace sluice::bench {

/// The GPU that is measured, made the calling thread's.
/// @throws contract_violation if CUDA has no such GPU.
cuda::device_facts gpu_at(int index);

/// A stream and a clock of a GPU, and the loops that show its limits.
class gpu_probe {
public:
  explicit gpu_probe(int index);

  /// Seconds of one of `count` runs or some more, by the device's clock. They
  /// are recorded, as decodes are: small ops take less time than the host takes
  /// to start them.
  /// @param start  puts one run into a stream.
  template <class Start>
  double time(const Start& start, int count) {
    const int recorded = std::min(count, most_recorded_runs);
    const int times = (count + recorded - 1) / recorded;
    start(stream_); // loads kernels, which no graph may record
    stream_.begin_recording();
    for (int i = 0; i < recorded; ++i)
      start(stream_);
    const auto runs = stream_.end_recording();
    stream_.run(runs); // so that the stream has work when the clock starts
    begin_.record(stream_);
    for (int i = 0; i < times; ++i)
      stream_.run(runs);
    end_.record(stream_);
    end_.wait();
    return end_.seconds_since(begin_) / (times * recorded);
  }

  double read_bytes_per_second();
  double operations_per_second(cuda::product_kind kind);

  cuda::stream& stream() { return stream_; }
  std::uint64_t buffer_bytes() const { return buffer_.bytes(); }

private:
  static constexpr int most_recorded_runs = 32;

  cuda::device_facts facts_;
  cuda::stream stream_;
  cuda::event begin_;
  cuda::event end_;
  cuda::device_memory buffer_; // beyond all caches
  cuda::device_memory sink_;
};

} // namespace sluice::bench
