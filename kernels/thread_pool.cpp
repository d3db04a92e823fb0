// SPDX-License-Identifier: Apache-2.0
#include "kernels/thread_pool.hpp"

#include "kernels/check.hpp"

#include <pthread.h>
#include <sched.h>

#include <limits>

namespace sluice {

namespace {

void pause_briefly() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Binds the calling thread to the index-th CPU it may run on, round robin.
// Best effort: a container may forbid it, and results do not depend on it.
void pin_to(int index) {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) {
    return;
  }
  int skip = index % CPU_COUNT(&allowed);
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &allowed) && skip-- == 0) {
      cpu_set_t one;
      CPU_ZERO(&one);
      CPU_SET(cpu, &one);
      pthread_setaffinity_np(pthread_self(), sizeof one, &one);
      return;
    }
  }
}

} // namespace

thread_pool::thread_pool(int threads)
    : thread_pool(thread_pool_config{.threads = threads}) {}

thread_pool::thread_pool(thread_pool_config config) : config_(config) {
  require(config.threads >= 1 && config.threads <= 1024,
          "thread_pool: threads must be 1..1024; correct the config");
  workers_.reserve(static_cast<std::size_t>(config.threads - 1));
  try {
    for (int i = 1; i < config.threads; ++i) {
      workers_.emplace_back([this, i] { run_worker(i); });
    }
  } catch (...) {
    stop();
    throw;
  }
}

thread_pool::~thread_pool() {
  stop();
}

void thread_pool::stop() {
  stopping_.store(true, std::memory_order_release);
  epoch_.fetch_add(1, std::memory_order_release);
  epoch_.notify_all();
  for (std::thread& worker : workers_) {
    worker.join();
  }
  workers_.clear();
}

int thread_pool::threads() const noexcept {
  return config_.threads;
}

void thread_pool::pin_caller() const {
  if (config_.pin) {
    pin_to(0);
  }
}

void thread_pool::parallel_for(std::int64_t tiles, tile_function function) {
  require(tiles >= 0 && tiles <= std::numeric_limits<std::int32_t>::max(),
          "parallel_for: tiles must be 0..2^31-1; use larger tiles");
  if (tiles <= 1 || workers_.empty()) {
    for (std::int64_t tile = 0; tile < tiles; ++tile) {
      function(tile);
    }
    return;
  }
  function_ = &function;
  tiles_ = tiles;
  unfinished_.store(static_cast<std::uint32_t>(tiles),
                    std::memory_order_relaxed);
  unclaimed_.store(tiles, std::memory_order_release);
  epoch_.fetch_add(1, std::memory_order_release);
  epoch_.notify_all();
  while (run_one_tile()) {
  }
  wait_until_done();
}

// Claiming is a compare-and-swap, so a thread that wakes late either owns a
// tile, which keeps the job alive until it reports, or touches nothing.
bool thread_pool::run_one_tile() {
  std::int64_t left = unclaimed_.load(std::memory_order_acquire);
  do {
    if (left == 0) {
      return false;
    }
  } while (!unclaimed_.compare_exchange_weak(
      left, left - 1, std::memory_order_acq_rel, std::memory_order_acquire));
  (*function_)(tiles_ - left);
  if (unfinished_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    unfinished_.notify_one();
  }
  return true;
}

void thread_pool::run_worker(int index) {
  if (config_.pin) {
    pin_to(index);
  }
  while (!stopping_.load(std::memory_order_acquire)) {
    const std::uint32_t epoch = epoch_.load(std::memory_order_acquire);
    while (run_one_tile()) {
    }
    wait_for_work(epoch);
  }
}

void thread_pool::wait_for_work(std::uint32_t seen_epoch) {
  for (int i = 0; i < config_.spin_pauses; ++i) {
    if (epoch_.load(std::memory_order_acquire) != seen_epoch) {
      return;
    }
    pause_briefly();
  }
  epoch_.wait(seen_epoch, std::memory_order_acquire);
}

void thread_pool::wait_until_done() {
  for (int i = 0; i < config_.spin_pauses; ++i) {
    if (unfinished_.load(std::memory_order_acquire) == 0) {
      return;
    }
    pause_briefly();
  }
  std::uint32_t left = unfinished_.load(std::memory_order_acquire);
  while (left != 0) {
    unfinished_.wait(left, std::memory_order_acquire);
    left = unfinished_.load(std::memory_order_acquire);
  }
}

} // namespace sluice
