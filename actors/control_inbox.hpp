// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>

#include "actors/frame_credit.hpp"
#include "actors/interfaces.hpp"
#include "actors/outbox.hpp"

namespace sluice::actors {

/// Turns the parts that clients send into verified frames for the gateway.
class control_inbox {
public:
  control_inbox(messages::frame_limits limits,
                std::shared_ptr<frame_credit> credit)
      : limits_{limits}, credit_{std::move(credit)} {}

  void deliver_to(gateway_actor gateway) { gateway_ = std::move(gateway); }

  /// Verifies one part and sends it to the gateway, for one credit.
  /// @param from  routing id of the client.
  /// @param part  any bytes.
  /// @return the answer if the part was refused: Rejected for a Submit whose
  ///         id can be read, else Refused.
  std::optional<outgoing> take(const session_id& from,
                               std::span<const std::byte> part);

private:
  template <class T>
  std::optional<outgoing> take_as(const session_id& from,
                                  std::span<const std::byte> part);

  messages::frame_limits limits_;
  std::shared_ptr<frame_credit> credit_;
  gateway_actor gateway_;
};

} // namespace sluice::actors
