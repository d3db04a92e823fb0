// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "actors/outbox.hpp"

namespace sluice::tests {

/// One frame that an actor left for a client or for subscribers.
struct recorded {
  std::string address; // session or topic
  actors::outgoing bytes;

  std::span<const std::byte> span() const {
    return {bytes.data.get(), bytes.size};
  }

  /// The frame as a T.
  /// @throws std::runtime_error if it is none: the check that clients make.
  template <class T>
  messages::frame<T> as() const {
    auto parsed = messages::parse_frame<T>(span(), {});
    if (const auto* refusal = std::get_if<messages::refusal>(&parsed))
      throw std::runtime_error{refusal->text};
    return std::get<messages::frame<T>>(std::move(parsed));
  }

  template <class T>
  bool is() const {
    return messages::is_frame_of<T>(span());
  }
};

/// An outbox that keeps what it is given.
class recording_outbox final : public actors::outbox {
public:
  bool send_control(const std::string& session,
                    actors::outgoing bytes) override {
    if (std::exchange(throw_once, false))
      throw std::runtime_error{"the outbox broke"};
    return keep(control, session, std::move(bytes));
  }

  bool publish(std::string topic, actors::outgoing bytes) override {
    return keep(published, std::move(topic), std::move(bytes));
  }

  /// What was sent on the control socket since the last call.
  std::vector<recorded> take_control() { return std::exchange(control, {}); }
  std::vector<recorded> take_published() {
    return std::exchange(published, {});
  }

  /// The one control frame since the last call.
  recorded only_control() {
    auto all = take_control();
    if (all.size() != 1)
      throw std::runtime_error{"expected one control frame, found " +
                               std::to_string(all.size())};
    return std::move(all.front());
  }

  std::vector<recorded> control;
  std::vector<recorded> published;
  std::size_t room = SIZE_MAX; // frames that still fit
  bool throw_once = false;

private:
  bool keep(std::vector<recorded>& list, std::string address,
            actors::outgoing bytes) {
    if (room == 0)
      return false;
    --room;
    list.push_back({std::move(address), std::move(bytes)});
    return true;
  }
};

} // namespace sluice::tests
