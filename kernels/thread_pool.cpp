// SPDX-License-Identifier: Apache-2.0
#include "kernels/thread_pool.hpp"

#include "kernels/check.hpp"
#include "kernels/cpu_affinity.hpp"
#include "kernels/cpu_topology.hpp"

#include <limits>
#include <optional>

namespace sluice {

namespace {

constexpr auto no_work = [](std::int64_t) {};
constexpr int end_shift = 32;
constexpr std::uint64_t first_mask = 0xffffffff;

std::uint64_t packed(std::int64_t first, std::int64_t end) {
  return static_cast<std::uint64_t>(first) | static_cast<std::uint64_t>(end)
                                                 << end_shift;
}

// Claiming is a compare-and-swap, so a thread that comes late either owns a
// tile, which keeps the job alive until it reports, or touches nothing.
std::optional<std::int64_t> take(std::atomic<std::uint64_t>& left,
                                 bool from_far_end) {
  std::uint64_t seen = left.load(std::memory_order_acquire);
  for (;;) {
    const std::uint64_t first = seen & first_mask;
    const std::uint64_t end = seen >> end_shift;
    if (first >= end) {
      return std::nullopt;
    }
    const std::uint64_t rest =
        from_far_end ? seen - (std::uint64_t{1} << end_shift) : seen + 1;
    if (left.compare_exchange_weak(seen, rest, std::memory_order_acq_rel,
                                   std::memory_order_acquire)) {
      return static_cast<std::int64_t>(from_far_end ? end - 1 : first);
    }
  }
}

// A config that asks for no more than the CPUs allow.
thread_pool_config within(thread_pool_config config, std::size_t cpus) {
  require(config.threads >= 1 && config.threads <= 1024,
          "thread_pool: threads must be 1..1024; correct the config");
  if (static_cast<std::size_t>(config.threads) > cpus) {
    config.pin = false;
    config.spin = std::chrono::microseconds(0);
  }
  return config;
}

} // namespace

thread_pool::thread_pool(int threads)
    : thread_pool(thread_pool_config{.threads = threads}) {}

thread_pool::thread_pool(thread_pool_config config)
    : config_(config), allowed_(allowed_cpus()),
      caller_patience_(std::chrono::microseconds(0)), function_(no_work) {
  config_ = within(config, allowed_.size());
  caller_patience_ = spin_wait(config_.spin);
  if (config_.pin) {
    cpus_ = detect_cpus().cpus;
  }
  const auto threads = static_cast<std::size_t>(config_.threads);
  shares_ = std::make_unique<share[]>(threads);
  workers_.reserve(threads - 1);
  try {
    for (int i = 1; i < config_.threads; ++i) {
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
  stopping_.store(true);
  epoch_.fetch_add(1);
  wake_all(epoch_);
  for (std::thread& worker : workers_) {
    worker.join();
  }
  workers_.clear();
}

int thread_pool::threads() const noexcept {
  return config_.threads;
}

void thread_pool::bind_self(int index) const {
  const auto at = static_cast<std::size_t>(index);
  if (at < cpus_.size()) { // a cpuset may leave fewer than the mask
    run_on({cpus_[at]});
  }
}

void thread_pool::pin_caller() const {
  bind_self(0);
}

void thread_pool::unpin_caller() const {
  if (!cpus_.empty()) {
    run_on(allowed_);
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
  publish(tiles, function);
  work(0);
  wait_until_done();
}

void thread_pool::publish(std::int64_t tiles, tile_function function) {
  function_ = function;
  unfinished_.store(static_cast<std::uint32_t>(tiles),
                    std::memory_order_relaxed);
  for (int i = 0; i < config_.threads; ++i) {
    shares_[static_cast<std::size_t>(i)].left.store(
        packed(tiles * i / config_.threads, tiles * (i + 1) / config_.threads),
        std::memory_order_release);
  }
  // In one total order with wait_for_job: either this sees the sleeper, or
  // the sleeper sees the new epoch.
  epoch_.fetch_add(1, std::memory_order_seq_cst);
  if (sleepers_.load(std::memory_order_seq_cst) > 0) {
    wake_all(epoch_);
  }
}

// Who holds unreported tiles keeps the job alive, so all of them are of one
// job; who holds none may drift into the next, which is as good.
void thread_pool::work(int index) {
  std::uint32_t done = 0;
  for (int turn = 0; turn < config_.threads; ++turn) {
    const int owner = (index + turn) % config_.threads;
    auto& left = shares_[static_cast<std::size_t>(owner)].left;
    while (const auto tile = take(left, owner != index)) {
      function_(*tile);
      ++done;
    }
  }
  if (done > 0 &&
      unfinished_.fetch_sub(done, std::memory_order_seq_cst) == done &&
      caller_sleeps_.load(std::memory_order_seq_cst)) {
    wake_all(unfinished_);
  }
}

void thread_pool::run_worker(int index) {
  bind_self(index);
  spin_wait patience(config_.spin);
  while (!stopping_.load(std::memory_order_acquire)) {
    const std::uint32_t epoch = epoch_.load(std::memory_order_acquire);
    work(index);
    wait_for_job(epoch, patience);
  }
}

void thread_pool::wait_for_job(std::uint32_t seen_epoch, spin_wait& patience) {
  const auto come = [&] {
    return epoch_.load(std::memory_order_acquire) != seen_epoch;
  };
  if (patience.until(come)) {
    return;
  }
  sleepers_.fetch_add(1, std::memory_order_seq_cst);
  while (epoch_.load(std::memory_order_seq_cst) == seen_epoch) {
    sleep_while(epoch_, seen_epoch);
  }
  sleepers_.fetch_sub(1, std::memory_order_relaxed);
}

void thread_pool::wait_until_done() {
  const auto done = [&] {
    return unfinished_.load(std::memory_order_acquire) == 0;
  };
  if (caller_patience_.until(done)) {
    return;
  }
  caller_sleeps_.store(true, std::memory_order_seq_cst);
  for (;;) {
    const std::uint32_t left = unfinished_.load(std::memory_order_seq_cst);
    if (left == 0) {
      break;
    }
    sleep_while(unfinished_, left);
  }
  caller_sleeps_.store(false, std::memory_order_relaxed);
}

} // namespace sluice
