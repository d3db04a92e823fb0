// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <utility>

namespace sluice::actors {

/// A file descriptor with one owner, closed at the end. -1: none.
class unique_fd {
public:
  unique_fd() = default;
  explicit unique_fd(int fd) noexcept : fd_{fd} {}
  ~unique_fd() { reset(); }
  unique_fd(unique_fd&& other) noexcept : fd_{std::exchange(other.fd_, -1)} {}
  unique_fd& operator=(unique_fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }

  int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }
  void reset() noexcept;

private:
  int fd_ = -1;
};

/// Wakes a thread that polls: an eventfd.
class wake_fd {
public:
  /// @throws std::system_error if there are no descriptors left.
  wake_fd();

  /// Safe in a signal handler and from any thread.
  void signal() const noexcept;

  /// Takes back every signal so far.
  void drain() const noexcept;

  int get() const noexcept { return fd_.get(); }

private:
  unique_fd fd_;
};

} // namespace sluice::actors
