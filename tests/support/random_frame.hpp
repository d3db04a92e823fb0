// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <random>
#include <tuple>

#include "messages/frame.hpp"

namespace sluice::testing {

using generator = std::mt19937_64;

/// A legal message of any type with random content: all enum values and union
/// types, empty and filled vectors, text of every plane. Tables and structs
/// are always there (some are required), other fields mostly.
/// @param type        of the root; its unions must hold tables.
/// @param identifier  four characters.
flatbuffers::DetachedBuffer random_message(const flatbuffers::TypeTable& type,
                                           const char* identifier,
                                           generator& random);

/// The same for a message type known at compile time. Its numbers may be out
/// of the ranges that a gateway allows.
template <class T>
messages::frame<T> random_frame(generator& random) {
  return messages::frame<T>::adopt(
      random_message(*T::MiniReflectTypeTable(),
                     messages::message_traits<T>::identifier, random));
}

template <class... Ts>
struct type_list {
  /// Calls f.template operator()<T>() for each T.
  template <class F>
  static void each(F&& f) {
    (f.template operator()<Ts>(), ...);
  }
};

using namespace messages;

/// What crosses a client's sockets.
using wire_messages = type_list<Hello, Submit, Accepted, Rejected, Cancel,
                                Cancelled, Replay, Replayed, Gap, Lease, Credit,
                                Query, Health, Stats, Models, Refused, Chunk>;

/// What passes between actors.
using lane_messages =
    type_list<Prepared, Admit, Extend, Truncate, Stop, Outcome, PageRequest,
              PageGrant, StepPlan, StepResult, Attach, Tokens>;

} // namespace sluice::testing
