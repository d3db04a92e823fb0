// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/interrupt.hpp"

#include <csignal>

#include <unistd.h>

namespace sluice::cli {
namespace {

constexpr int patience = 3;
volatile std::sig_atomic_t interrupts = 0; // the one thing a handler may write

void on_signal(int) {
  interrupts = interrupts + 1;
  if (interrupts >= patience)
    _exit(130);
}

void install(void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

} // namespace

interrupt_guard::interrupt_guard() {
  interrupts = 0;
  install(on_signal);
}

interrupt_guard::~interrupt_guard() {
  install(SIG_DFL);
}

int interrupt_guard::count() const noexcept {
  return interrupts;
}

} // namespace sluice::cli
