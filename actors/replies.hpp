// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "actors/outbox.hpp"
#include "messages/error_code.hpp"
#include "messages/frame.hpp"

namespace sluice::actors {

/// Newest and oldest version of the protocol that this daemon speaks.
inline constexpr std::uint32_t newest_protocol = 1;
inline constexpr std::uint32_t oldest_protocol = 1;

/// What went wrong and what to do about it, for a client to print.
/// @param detail  what is known beyond the code; empty: the code's meaning.
std::string explain(messages::ErrorCode code, std::string_view detail = {});

/// Packs a message in object form for the outbox.
template <class T>
outgoing pack_reply(const typename T::NativeTableType& message) {
  return outgoing::from(messages::pack<T>(message));
}

outgoing refused_reply(messages::ErrorCode code, std::string text);

outgoing rejected_reply(const messages::RequestId& id, messages::ErrorCode code,
                        std::string text, std::uint32_t retry_after_ms = 0);

/// What Accepted says beside the request's id.
struct acceptance {
  std::uint64_t epoch = 0;
  bool attached = false;
  std::uint32_t next_seq = 0; // chunks published so far
  bool at_end = false;
};

outgoing accepted_reply(const messages::RequestId& id, const acceptance& how);

/// Chunks [from, to) are lost; `to` 0: the id is unknown.
outgoing gap_reply(const messages::RequestId& id, std::uint32_t from,
                   std::uint32_t to);

} // namespace sluice::actors
