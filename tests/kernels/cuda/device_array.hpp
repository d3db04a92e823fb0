// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/runtime.hpp"

#include <span>
#include <vector>

namespace sluice::test {

/// Elements in device memory.
template <class T>
class device_array {
public:
  device_array(cuda::stream& in, std::span<const T> values)
      : device_array{in, values.size()} {
    if (count_ > 0)
      in.copy(memory_.data(), values.data(), values.size_bytes());
    in.wait();
  }
  /// Every bit set: NaNs.
  device_array(cuda::stream& in, std::size_t count)
      : in_{&in}, memory_{count * sizeof(T)}, count_{count} {
    in.fill(memory_.data(), 0xff, memory_.bytes());
  }

  T* data() const { return reinterpret_cast<T*>(memory_.data()); }
  std::byte* bytes() const { return memory_.data(); }
  std::size_t size() const { return count_; }

  /// Waits for the stream.
  std::vector<T> values() const {
    std::vector<T> out(count_);
    if (count_ > 0)
      in_->copy(out.data(), memory_.data(), count_ * sizeof(T));
    in_->wait();
    return out;
  }

private:
  cuda::stream* in_;
  cuda::device_memory memory_;
  std::size_t count_;
};

} // namespace sluice::test
