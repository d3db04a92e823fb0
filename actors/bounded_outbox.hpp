// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "actors/outbox.hpp"

namespace sluice::actors {

struct outbox_limits {
  std::uint32_t messages = 65'536; // waiting to be sent
  std::size_t bytes = 256u << 20;
};

enum class out_socket : std::uint8_t { control, stream };

struct out_message {
  out_socket socket = out_socket::control;
  std::string address; // routing id or topic
  outgoing bytes;
};

/// What did not fit, since the last time somebody asked.
struct outbox_drops {
  std::uint64_t control = 0;
  std::uint64_t stream = 0;
};

/// The outbox of the socket loop: many threads put in, one takes all.
class bounded_outbox final : public outbox {
public:
  /// @param on_filled  called when there is something again; any thread.
  explicit bounded_outbox(outbox_limits limits,
                          std::function<void()> on_filled = {})
      : limits_{limits}, on_filled_{std::move(on_filled)} {}

  bool send_control(const std::string& session, outgoing bytes) override;
  bool publish(std::string topic, outgoing bytes) override;

  /// Everything that waits, in the order in which it came.
  std::vector<out_message> take_all();

  outbox_drops take_drops();

private:
  bool put(out_message message);

  outbox_limits limits_;
  std::function<void()> on_filled_;
  std::mutex mutex_;
  std::vector<out_message> waiting_;
  std::size_t waiting_bytes_ = 0;
  outbox_drops drops_;
};

} // namespace sluice::actors
