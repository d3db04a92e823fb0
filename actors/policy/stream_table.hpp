// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "actors/policy/instant.hpp"
#include "actors/policy/replay_window.hpp"
#include "messages/request_id.hpp"

namespace sluice::policy {

struct stream_limits {
  window_limits window;                 // of one stream
  std::size_t total_bytes = 256u << 20; // of all
  instant resend_interval = std::chrono::milliseconds{100};
};

/// Whose stream it is, and what its end needs to know.
struct stream_origin {
  messages::request_id id;
  std::string tenant;
  std::string model;
  instant opened{};
  instant linger{}; // how long the window outlives the end
};

/// One request's stream.
struct stream {
  std::uint64_t request = 0;
  stream_origin origin;
  std::string topic; // origin.id in hex
  replay_window window;
  bool ended = false;
  instant expires{};       // once ended
  instant resend_after{};  // the window is not sent again before
  bool resend_due = false; // somebody waits for that moment
};

/// When a window may be sent again to all subscribers.
enum class resend_verdict : std::uint8_t { now, later, already_due };

/// Every stream that is open or can still be replayed. The bytes of all
/// windows are bounded: ended streams are forgotten first, the longest ended
/// before the others; then a growing stream gives up its own oldest chunks.
class stream_table {
public:
  /// What a stream costs beside its window, in bytes.
  static constexpr std::size_t overhead_bytes = 1024;

  explicit stream_table(stream_limits limits) : limits_{limits} {}

  /// @throws contract_violation if the request's stream is known.
  stream& open(std::uint64_t request, stream_origin origin);

  /// @return nullptr if unknown; stable until it is forgotten.
  stream* find(std::uint64_t request);

  /// The streams of a topic: one, or several if tenants chose the same id.
  std::vector<stream*> of_topic(std::string_view topic);

  /// Takes the stream's next chunk.
  /// @return the ended streams that were forgotten to make room.
  std::vector<std::uint64_t> append(stream& s, replay_window::chunk next);

  /// The stream has had its last chunk; its window lingers.
  void end(stream& s, instant now);

  /// Forgets a stream.
  void erase(std::uint64_t request);

  /// Forgets the ended streams whose windows have lingered long enough.
  /// @return their requests.
  std::vector<std::uint64_t> expire(instant now);

  /// May the window be sent again now? If so, the interval begins anew; if
  /// not, the first who asks shall ask again at `resend_after`.
  resend_verdict ask_resend(stream& s, instant now);

  std::size_t open_count() const noexcept {
    return streams_.size() - by_expiry_.size();
  }
  std::size_t held_count() const noexcept { return by_expiry_.size(); }
  std::size_t bytes() const noexcept { return bytes_; }

private:
  using expiry = std::pair<instant, std::uint64_t>; // when, request

  std::vector<std::uint64_t> make_room(stream& growing);

  stream_limits limits_;
  std::unordered_map<std::uint64_t, stream> streams_;
  std::multimap<std::string, std::uint64_t, std::less<>> by_topic_;
  std::set<expiry> by_expiry_; // ended streams
  std::size_t bytes_ = 0;
};

} // namespace sluice::policy
