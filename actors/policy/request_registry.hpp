// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

#include "actors/policy/body_hash.hpp"
#include "messages/request_id.hpp"

namespace sluice::policy {

/// A request's name as its client knows it.
struct request_key {
  std::string tenant;
  messages::request_id id;

  bool operator==(const request_key&) const = default;
};

/// Of a message that names a request: Submit, Cancel, Replay.
template <class Message>
request_key key_of(const Message& message) {
  return {message.tenant() ? message.tenant()->str() : std::string{},
          messages::request_id::from(*message.id())};
}

struct request_key_hash {
  std::size_t operator()(const request_key& key) const noexcept {
    return std::hash<std::string>{}(key.tenant) * 31u ^
           std::hash<messages::request_id>{}(key.id);
  }
};

enum class request_phase : std::uint8_t {
  preparing, // the scheduler has not answered yet
  open,      // accepted: waits or runs
  ended      // its window can still be replayed
};

/// What the edge knows of one request.
struct request_record {
  std::uint64_t number = 0; // the daemon's own
  request_key key;
  body_hash body;
  std::string owner;     // session; empty: nobody is there to own it
  bool attached = false; // its owner found it here, and did not start it
  bool at_end = false;   // its answers come when all of them are there
  messages::OnDisconnect on_disconnect = messages::OnDisconnect::cancel;
  request_phase phase = request_phase::preparing;
  // Not none: end it as soon as the scheduler knows it.
  messages::FinishReason end_on_accept = messages::FinishReason::none;
};

/// How a submission compares with what is known.
enum class familiarity : std::uint8_t { fresh, same, conflict };

/// Every request that the edge knows, by the clients' names and the daemon's
/// numbers. An id stays known until its replay window has gone, and until then
/// it names one body only.
class request_registry {
public:
  familiarity compare(const request_key& key, const body_hash& body) const;

  /// Takes in a fresh request and numbers it (from 1, never again the same).
  /// @throws contract_violation if the key is known.
  request_record& add(request_key key, const body_hash& body);

  /// @return nullptr if unknown; stable until erase().
  request_record* find(const request_key& key);
  request_record* find(std::uint64_t number);

  /// Moves a request on; keeps the count of those in preparation.
  void advance(request_record& record, request_phase to);

  void erase(std::uint64_t number);

  std::size_t size() const noexcept { return by_number_.size(); }
  std::size_t preparing() const noexcept { return preparing_; }

private:
  std::unordered_map<std::uint64_t, request_record> by_number_;
  std::unordered_map<request_key, std::uint64_t, request_key_hash> by_key_;
  std::uint64_t last_number_ = 0;
  std::size_t preparing_ = 0;
};

} // namespace sluice::policy
