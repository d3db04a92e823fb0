// SPDX-License-Identifier: Apache-2.0
#include "actors/signal_watch.hpp"

#include <cerrno>
#include <csignal>
#include <system_error>

#include <sys/signalfd.h>
#include <unistd.h>

namespace sluice::actors {

unique_fd watch_signals(std::initializer_list<int> signals) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : signals)
    sigaddset(&set, signal);
  if (const int error = ::pthread_sigmask(SIG_BLOCK, &set, nullptr))
    throw std::system_error{error, std::generic_category(), "pthread_sigmask"};
  unique_fd fd{::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)};
  if (!fd)
    throw std::system_error{errno, std::generic_category(), "signalfd"};
  return fd;
}

int next_signal(int fd) noexcept {
  signalfd_siginfo info{};
  if (::read(fd, &info, sizeof info) != sizeof info)
    return 0;
  return static_cast<int>(info.ssi_signo);
}

} // namespace sluice::actors
