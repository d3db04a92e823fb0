// SPDX-License-Identifier: Apache-2.0
#include "actors/control_inbox.hpp"

#include <utility>
#include <variant>

#include "actors/replies.hpp"

namespace sluice::actors {
namespace {

using namespace messages;

// A Submit that passed the verifier but not the semantic check has an id, so
// its client can be told which request is meant.
outgoing answer_to_submit(std::span<const std::byte> part, refusal problem) {
  const auto request = frame<Submit>::copy_verified(part);
  return rejected_reply(*request->id(), problem.code, std::move(problem.text));
}

} // namespace

template <class T>
std::optional<outgoing>
control_inbox::take_as(const session_id& from,
                       std::span<const std::byte> part) {
  auto parsed = parse_frame<T>(part, limits_);
  if (auto* problem = std::get_if<refusal>(&parsed)) {
    const bool verified = problem->code == ErrorCode::invalid_argument;
    if (std::is_same_v<T, Submit> && verified)
      return answer_to_submit(part, std::move(*problem));
    return refused_reply(problem->code, std::move(problem->text));
  }
  credit_->take();
  caf::anon_send(gateway_, from, std::get<frame<T>>(std::move(parsed)));
  return std::nullopt;
}

std::optional<outgoing> control_inbox::take(const session_id& from,
                                            std::span<const std::byte> part) {
  if (is_frame_of<Submit>(part))
    return take_as<Submit>(from, part);
  if (is_frame_of<Hello>(part))
    return take_as<Hello>(from, part);
  if (is_frame_of<Cancel>(part))
    return take_as<Cancel>(from, part);
  if (is_frame_of<Replay>(part))
    return take_as<Replay>(from, part);
  if (is_frame_of<Lease>(part))
    return take_as<Lease>(from, part);
  if (is_frame_of<Query>(part))
    return take_as<Query>(from, part);
  if (is_frame_of<Credit>(part))
    return take_as<Credit>(from, part);
  return refused_reply(
      ErrorCode::malformed_frame,
      "The part is no frame that clients may send: bytes 4 to 7 name none of "
      "HEL1, SUB1, CAN1, REP1, LEA1, QUE1, CRE1. See docs/protocol.md.");
}

} // namespace sluice::actors
