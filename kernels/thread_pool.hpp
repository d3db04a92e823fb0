// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
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
  int threads = 1;        // the caller included, 1..1024
  bool pin = false;       // bind worker i to the i-th allowed CPU
  int spin_pauses = 1000; // pause instructions before a thread sleeps
};

/// Threads of one device. Work is cut into numbered tiles that the caller and
/// the workers claim one by one; an op must give each tile a fixed meaning,
/// so that its result does not depend on who ran what.
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

  /// Binds the calling thread to the first allowed CPU, when `pin` was asked.
  void pin_caller() const;

private:
  void stop();
  void run_worker(int index);
  bool run_one_tile();
  void wait_for_work(std::uint32_t seen_epoch);
  void wait_until_done();

  thread_pool_config config_;
  const tile_function* function_ = nullptr; // valid while tiles remain
  std::int64_t tiles_ = 0;
  alignas(64) std::atomic<std::int64_t> unclaimed_{0};
  alignas(64) std::atomic<std::uint32_t> unfinished_{0};
  alignas(64) std::atomic<std::uint32_t> epoch_{0}; // counts jobs; futex word
  std::atomic<bool> stopping_{false};
  std::vector<std::thread> workers_;
};

} // namespace sluice
