// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <utility>

namespace sluice::actors {

/// Bounds how many messages from clients wait in mailboxes: the socket loop
/// takes one before it enqueues, the handler gives it back. While none is left
/// the loop reads no socket, so the clients wait in ZeroMQ's bounded queues.
class frame_credit {
public:
  /// @param limit     messages that may be unhandled at once, at least 1.
  /// @param on_freed  called by give_back() when the loop may read again.
  explicit frame_credit(std::uint32_t limit,
                        std::function<void()> on_freed = {})
      : limit_{limit}, on_freed_{std::move(on_freed)} {}

  /// Called by the socket loop alone.
  bool available() const noexcept { return in_use() < limit_; }
  void take() noexcept { in_use_.fetch_add(1, std::memory_order_acq_rel); }

  /// Called by whoever has handled the message.
  void give_back() {
    if (in_use_.fetch_sub(1, std::memory_order_acq_rel) == limit_ && on_freed_)
      on_freed_();
  }

  std::uint32_t in_use() const noexcept {
    return in_use_.load(std::memory_order_acquire);
  }

private:
  std::uint32_t limit_;
  std::function<void()> on_freed_;
  std::atomic<std::uint32_t> in_use_{0};
};

/// Gives one message's credit back at the end of its handler.
class credit_return {
public:
  explicit credit_return(frame_credit& credit) : credit_{credit} {}
  ~credit_return() { credit_.give_back(); }
  credit_return(const credit_return&) = delete;
  credit_return& operator=(const credit_return&) = delete;

private:
  frame_credit& credit_;
};

} // namespace sluice::actors
