// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "actors/policy/instant.hpp"

namespace sluice::policy {

struct session_limits {
  std::uint32_t sessions = 4096; // known at once
  std::uint32_t requests = 256;  // open at once, of one session
  instant probe_interval = std::chrono::milliseconds{500};
  instant idle_probe_interval = std::chrono::seconds{30};
  instant lease_max = std::chrono::hours{1};
};

/// Who is connected, which open requests each owns, and whom to ask whether he
/// is still there. A session is the routing id of a connection.
///
/// Sessions with open requests are probed often; idle ones seldom, so that the
/// table does not fill with the dead. A full table forgets the idle session
/// that was silent for longest; busy ones are never forgotten.
class session_table {
public:
  explicit session_table(session_limits limits) : limits_{limits} {}

  /// A frame of the session has come: it is known from here, its lease renewed.
  /// @return false if the table is full of busy sessions.
  bool touch(const std::string& session, instant now);

  /// Grants a lease: without a frame for that long the session has vanished.
  /// @param asked  zero: no lease.
  /// @return what was granted, at most the limit.
  instant grant_lease(const std::string& session, instant asked);

  /// True while the session may own one more request.
  bool may_open(const std::string& session) const;

  /// The session owns an open request, or no longer does. Unknown sessions and
  /// requests are passed over.
  void opened(const std::string& session, std::uint64_t request);
  void closed(const std::string& session, std::uint64_t request);

  /// Forgets a session.
  /// @return the open requests that it owned, in the order of their numbers.
  std::vector<std::uint64_t> remove(const std::string& session);

  /// Sessions that should be probed now; counts them as probed.
  std::vector<std::string> due_probes(instant now);

  /// Sessions whose lease has run out.
  std::vector<std::string> expired_leases(instant now) const;

  bool knows(const std::string& session) const;
  std::size_t size() const noexcept { return sessions_.size(); }

private:
  struct entry {
    instant heard{};
    instant probed{};
    instant lease{}; // zero: none
    std::set<std::uint64_t> requests;
  };

  bool make_room();

  session_limits limits_;
  std::unordered_map<std::string, entry> sessions_;
};

} // namespace sluice::policy
