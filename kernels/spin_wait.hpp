// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace sluice {

/// Tells the CPU that the thread waits in a loop.
inline void pause_briefly() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Sleeps in the kernel while `word` is `value`; may return early.
void sleep_while(const std::atomic<std::uint32_t>& word, std::uint32_t value);

/// Wakes every thread that sleeps on `word`.
void wake_all(std::atomic<std::uint32_t>& word);

/// The patience of one waiting thread: it spins for a bounded time, and no
/// longer at all once that has been in vain several times in a row, as on a
/// machine that others keep busy. Now and then it tries again.
class spin_wait {
public:
  explicit spin_wait(std::chrono::microseconds limit) : limit_(limit) {}

  /// Spins until `ready()` or until patience ends.
  /// @return whether it was ready; if not, the caller should sleep.
  template <class Ready>
  bool until(Ready ready) {
    if (ready()) {
      return true;
    }
    if (!worth_a_try()) {
      return false;
    }
    const auto end = std::chrono::steady_clock::now() + limit_;
    do {
      for (int i = 0; i < pauses_a_look; ++i) {
        pause_briefly();
        if (ready()) {
          futile_ = 0;
          return true;
        }
      }
    } while (std::chrono::steady_clock::now() < end);
    ++futile_;
    return false;
  }

private:
  static constexpr int pauses_a_look = 32; // at the clock
  static constexpr std::uint32_t futile_limit = 8;
  static constexpr std::uint32_t retry_every = 32;

  bool worth_a_try() {
    return limit_.count() > 0 &&
           (futile_ < futile_limit || ++skipped_ % retry_every == 0);
  }

  std::chrono::microseconds limit_;
  std::uint32_t futile_ = 0;  // in a row
  std::uint32_t skipped_ = 0; // since ever
};

} // namespace sluice
