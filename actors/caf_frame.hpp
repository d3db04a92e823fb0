// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <caf/allowed_unsafe_message_type.hpp>

#include "messages/frame.hpp"

namespace caf {

/// Lets any frame travel between actors of one process: its bytes are
/// immutable and shared. Frames cross a process boundary as bytes, not through
/// CAF's serialisation.
template <class T>
struct allowed_unsafe_message_type<sluice::messages::frame<T>>
    : std::true_type {};

} // namespace caf
