// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>

#include "actors/wake_fd.hpp"

namespace sluice::actors {

/// Blocks signals in this thread and in those that it starts from here on, and
/// gives a descriptor that becomes readable when one comes. Call it before the
/// first thread is started.
/// @throws std::system_error if the system refuses.
unique_fd watch_signals(std::initializer_list<int> signals);

/// The next signal that has come.
/// @param fd  what watch_signals() gave.
/// @return its number, 0 if there is none.
int next_signal(int fd) noexcept;

} // namespace sluice::actors
