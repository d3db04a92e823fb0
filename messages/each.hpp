// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "flatbuffers/flatbuffers.h"

namespace sluice::messages {

/// Calls function(item) for every item of a list of a message. FlatBuffers
/// leaves empty lists out: a null list is an empty one.
template <class T, class Function>
void each(const flatbuffers::Vector<T>* list, Function function) {
  if (list)
    for (auto item : *list)
      function(item);
}

} // namespace sluice::messages
