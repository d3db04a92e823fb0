// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "messages/frame.hpp"

namespace sluice::actors {

/// The bytes of one frame on their way out: shared, never changed.
struct outgoing {
  std::shared_ptr<const std::byte> data;
  std::size_t size = 0;

  template <class T>
  static outgoing from(const messages::frame<T>& frame) {
    return {frame.share(), frame.bytes().size()};
  }
};

/// Where actors leave what clients shall read. Bounded: what does not fit is
/// dropped and counted, and clients ask again (chunks by Replay, everything
/// else by their timeouts). Callable from any thread, never blocks.
class outbox {
public:
  virtual ~outbox() = default;

  /// Sends one frame to one client on the control socket.
  /// @param session  routing id of the client's connection.
  /// @return false if it was dropped.
  virtual bool send_control(const std::string& session, outgoing bytes) = 0;

  /// Sends one Chunk frame to the subscribers of a stream.
  /// @param topic  32 hex digits of the request's id.
  /// @return false if it was dropped.
  virtual bool publish(std::string topic, outgoing bytes) = 0;
};

} // namespace sluice::actors
