// SPDX-License-Identifier: Apache-2.0
#include "actors/replies.hpp"

#include <memory>
#include <utility>

namespace sluice::actors {

using namespace messages;

std::string explain(ErrorCode code, std::string_view detail) {
  const auto& entry = describe(code);
  std::string text{detail.empty() ? entry.meaning : detail};
  if (!entry.remedy.empty())
    text.append(" ").append(entry.remedy);
  return text;
}

outgoing refused_reply(ErrorCode code, std::string text) {
  RefusedT message;
  message.code = code;
  message.text = std::move(text);
  return pack_reply<Refused>(message);
}

outgoing rejected_reply(const RequestId& id, ErrorCode code, std::string text,
                        std::uint32_t retry_after_ms) {
  RejectedT message;
  message.id = std::make_unique<RequestId>(id);
  message.code = code;
  message.text = std::move(text);
  message.retry_after_ms = retry_after_ms;
  return pack_reply<Rejected>(message);
}

outgoing accepted_reply(const RequestId& id, const acceptance& how) {
  AcceptedT message;
  message.id = std::make_unique<RequestId>(id);
  message.epoch = how.epoch;
  message.attached = how.attached;
  message.next_seq = how.next_seq;
  message.at_end = how.at_end;
  return pack_reply<Accepted>(message);
}

outgoing gap_reply(const RequestId& id, std::uint32_t from, std::uint32_t to) {
  GapT message;
  message.id = std::make_unique<RequestId>(id);
  message.from_seq = from;
  message.to_seq = to;
  if (to == 0) {
    message.code = ErrorCode::unknown_request;
    message.text = explain(message.code);
  } else {
    message.text = "These chunks have left the replay window. Read streams as "
                   "they come, or raise limits.window_chunks and "
                   "limits.window_bytes.";
  }
  return pack_reply<Gap>(message);
}

} // namespace sluice::actors
