// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernels/device_error.hpp"

// Devices, memory, streams and graphs, without a CUDA header, so that all but
// the kernels is ordinary C++. runtime_device.cu implements it with the CUDA
// runtime, emulation/runtime_emulated.cpp with host memory and the kernels'
// emulation.

namespace sluice::cuda {

using sluice::device_error; // a CUDA call failed

/// The device has too little memory. The text has the numbers and a remedy.
class out_of_device_memory : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

struct device_facts {
  int index = 0;
  std::string name; // "NVIDIA H100 80GB HBM3"
  int major = 0;    // compute capability
  int minor = 0;
  int processors = 0; // streaming multiprocessors
  std::uint64_t total_bytes = 0;
  std::uint64_t free_bytes = 0;
  std::uint32_t shared_bytes = 0; // that a block may have
};

/// What is there; empty without a GPU or a driver. Never throws.
std::vector<device_facts> devices();

/// Makes a device the calling thread's.
/// @throws device_error.
void use_device(int index);

/// Clears a device of all that this process has on it, after a sticky error:
/// what comes next finds it new. The calling thread's device from then on.
/// @pre no stream, graph, event or memory of it is left, of anybody in this
///      process.
/// @throws device_error if the device cannot be used even so: sticky where only
///         another process can.
/// @note  NVIDIA promises only that a new process finds the device whole; that
///        the same one does is the driver's kindness, so it is tried out here.
void reset_device(int index);

/// A kernel launch's sizes.
struct launch_shape {
  std::uint32_t grid_x = 1;
  std::uint32_t grid_y = 1;
  std::uint32_t grid_z = 1;
  std::uint32_t threads = 128;
  std::size_t shared_bytes = 0;
  bool early = false; // may start before the kernel ahead of it has ended: it
                      // calls wait_for_previous_kernel() before it reads what
                      // that one writes
};

class graph;

/// Work in order on the device. Calls return at once; whatever they name must
/// live until it is done.
class stream {
public:
  stream();
  ~stream();
  stream(const stream&) = delete;
  stream& operator=(const stream&) = delete;

  /// Any direction; host memory should be host_memory.
  void copy(void* to, const void* from, std::size_t bytes);
  void fill(void* to, int byte, std::size_t bytes);

  /// Waits for all of it. @throws device_error what any of it met.
  void wait();

  /// From here on calls are recorded and not done; end_recording gives them.
  void begin_recording();
  graph end_recording();

  void run(const graph& recorded);

  /// The cudaStream_t, or the emulation's own.
  void* native() const noexcept;

private:
  friend class event;
  struct impl;
  std::unique_ptr<impl> impl_;
};

/// Recorded calls, which run as one.
class graph {
public:
  graph() = default;
  bool empty() const noexcept { return !impl_; }

private:
  friend class stream;
  struct impl;
  std::shared_ptr<const impl> impl_;
};

/// A point in a stream.
class event {
public:
  event();
  ~event();
  event(const event&) = delete;
  event& operator=(const event&) = delete;

  void record(stream& in);
  bool reached() const; // does not wait
  void wait() const;    // the calling thread; sleeps, does not spin
  /// `in` goes on only when this point is reached.
  void delay(stream& in) const;
  /// Seconds from `earlier` to this one, both reached.
  double seconds_since(const event& earlier) const;

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

/// Memory of the device, at least 256-byte aligned.
class device_memory {
public:
  device_memory() = default;
  /// @throws out_of_device_memory, with what is free; device_error.
  explicit device_memory(std::size_t bytes);
  std::byte* data() const noexcept { return data_.get(); }
  std::size_t bytes() const noexcept { return bytes_; }

private:
  struct release {
    void operator()(std::byte* data) const noexcept;
  };
  std::unique_ptr<std::byte, release> data_;
  std::size_t bytes_ = 0;
};

/// Host memory that the device copies from and to without a stop.
class host_memory {
public:
  host_memory() = default;
  explicit host_memory(std::size_t bytes);
  std::byte* data() const noexcept { return data_.get(); }
  std::size_t bytes() const noexcept { return bytes_; }

private:
  struct release {
    void operator()(std::byte* data) const noexcept;
  };
  std::unique_ptr<std::byte, release> data_;
  std::size_t bytes_ = 0;
};

} // namespace sluice::cuda
