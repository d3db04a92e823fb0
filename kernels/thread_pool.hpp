// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/spin_wait.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

namespace sluice {

/// A non-owning reference to a callable `void(std::int64_t tile)`; lives no
/// longer than the callable it was made from.
class tile_function {
public:
  template <class Function>
  tile_function(const Function& function) // implicit: lambdas pass directly
      : object_(&function), call_([](const void* object, std::int64_t tile) {
          (*static_cast<const Function*>(object))(tile);
        }) {}

  void operator()(std::int64_t tile) const { call_(object_, tile); }

private:
  const void* object_;
  void (*call_)(const void*, std::int64_t);
};

struct thread_pool_config {
  int threads = 1;  // the caller included, 1..1024
  bool pin = false; // bind each thread to a CPU of its own, one of another
                    // core as long as there are; not if the CPUs are too few
  std::chrono::microseconds spin{30}; // before a thread sleeps; none is spent
                                      // if the CPUs are too few
};

/// Threads of one device. Work is cut into numbered tiles. Each thread starts
/// in its own contiguous share of them and takes them in order, so that it
/// reads memory as one stream; then it helps the others from the far end of
/// theirs. An op must give each tile a fixed meaning, so that its result does
/// not depend on who ran what.
/// Idle workers spin briefly, then sleep in the kernel.
class thread_pool {
public:
  /// @throws contract_violation if `config.threads` is out of range,
  ///         std::system_error if a thread cannot be started.
  explicit thread_pool(thread_pool_config config);
  explicit thread_pool(int threads);
  thread_pool(const thread_pool&) = delete;
  thread_pool& operator=(const thread_pool&) = delete;

  /// Waits for the workers; no `parallel_for` may be running.
  ~thread_pool();

  /// Threads that work on a `parallel_for`, the caller included.
  int threads() const noexcept;

  /// Calls `function(0) .. function(tiles - 1)`, each once, in any order, and
  /// returns when all are done. What they wrote is then visible to the caller.
  /// @param tiles     0 .. 2^31 - 1.
  /// @param function  must not throw (the process would end) and must not
  ///                  call `parallel_for` of the same pool.
  /// @throws contract_violation if `tiles` is out of range.
  /// @note one calling thread at a time; allocates nothing; one tile or one
  ///       thread runs in the caller without any synchronisation.
  void parallel_for(std::int64_t tiles, tile_function function);

  /// Binds the calling thread to the first CPU, if the pool's threads are
  /// bound. Threads that it starts from then on would be bound there too.
  void pin_caller() const;

  /// Gives the calling thread back every CPU that the pool's maker could use.
  void unpin_caller() const;

private:
  /// Tiles that one thread starts in: the first that is left in the lower
  /// half, one past the last in the upper, so that both ends can be taken.
  struct alignas(64) share {
    std::atomic<std::uint64_t> left{0};
  };

  void stop();
  void run_worker(int index);
  void bind_self(int index) const;
  void publish(std::int64_t tiles, tile_function function);
  void work(int index);
  void wait_for_job(std::uint32_t seen_epoch, spin_wait& patience);
  void wait_until_done();

  thread_pool_config config_;
  std::vector<int> allowed_; // CPUs of the maker, ascending
  std::vector<int> cpus_;    // of the threads, in their order; empty: not bound
  std::unique_ptr<share[]> shares_; // [threads]
  spin_wait caller_patience_;
  alignas(64) std::atomic<std::uint32_t> epoch_{0}; // counts jobs; futex word
  tile_function function_;                          // valid while tiles remain
  alignas(64) std::atomic<std::uint32_t> unfinished_{0}; // futex word
  alignas(64) std::atomic<std::uint32_t> sleepers_{0};   // workers
  std::atomic<bool> caller_sleeps_{false};
  std::atomic<bool> stopping_{false};
  std::vector<std::thread> workers_;
};

} // namespace sluice
