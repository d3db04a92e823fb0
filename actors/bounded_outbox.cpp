// SPDX-License-Identifier: Apache-2.0
#include "actors/bounded_outbox.hpp"

namespace sluice::actors {

bool bounded_outbox::send_control(const std::string& session, outgoing bytes) {
  return put({out_socket::control, session, std::move(bytes)});
}

bool bounded_outbox::publish(std::string topic, outgoing bytes) {
  return put({out_socket::stream, std::move(topic), std::move(bytes)});
}

bool bounded_outbox::put(out_message message) {
  {
    const std::lock_guard lock{mutex_};
    if (waiting_.size() >= limits_.messages ||
        message.bytes.size > limits_.bytes - waiting_bytes_) {
      auto& count = message.socket == out_socket::control ? drops_.control
                                                          : drops_.stream;
      ++count;
      return false;
    }
    waiting_bytes_ += message.bytes.size;
    waiting_.push_back(std::move(message));
    if (waiting_.size() > 1)
      return true; // somebody has woken the reader already
  }
  if (on_filled_)
    on_filled_();
  return true;
}

std::vector<out_message> bounded_outbox::take_all() {
  const std::lock_guard lock{mutex_};
  waiting_bytes_ = 0;
  return std::exchange(waiting_, {});
}

outbox_drops bounded_outbox::take_drops() {
  const std::lock_guard lock{mutex_};
  return std::exchange(drops_, {});
}

} // namespace sluice::actors
