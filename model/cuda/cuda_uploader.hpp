// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/runtime.hpp"
#include "kernels/thread_pool.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

namespace sluice {

/// An array that the host makes, in units which do not depend on each other.
struct made_array {
  std::uint64_t bytes = 0;
  std::uint64_t unit_bytes = 1; // the last unit may be followed by padding
  /// Writes the units from `first` on that fill a span. From any thread.
  std::function<void(std::uint64_t first, std::span<std::byte>)> write;
};

/// Makes arrays on the host's threads and sends them to the device: while one
/// piece is on its way the next is made.
class cuda_uploader {
public:
  /// @param threads       the caller included.
  /// @param largest_unit  bytes of the largest unit of all arrays.
  /// @throws contract_violation, cuda::device_error.
  cuda_uploader(int threads, std::uint64_t largest_unit, cuda::stream& in);

  /// @param to    array.bytes of device memory.
  /// @param sent  receives the bytes so far, from the calling thread.
  /// @throws what array.write throws, cuda::device_error.
  void send(const made_array& array, std::byte* to,
            const std::function<void(std::uint64_t)>& sent);

  /// Waits until everything has arrived.
  void finish() { in_->wait(); }

private:
  struct piece {
    cuda::host_memory memory;
    cuda::event sent;
    bool used = false;
  };

  piece& next();
  void make(const made_array& array, std::uint64_t first,
            std::span<std::byte> out);

  thread_pool pool_;
  cuda::stream* in_;
  std::array<piece, 2> pieces_;
  std::size_t turn_ = 0;
};

} // namespace sluice
