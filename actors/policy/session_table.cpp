// SPDX-License-Identifier: Apache-2.0
#include "actors/policy/session_table.hpp"

#include <algorithm>

namespace sluice::policy {

bool session_table::touch(const std::string& session, instant now) {
  if (const auto found = sessions_.find(session); found != sessions_.end()) {
    found->second.heard = now;
    return true;
  }
  if (!make_room())
    return false;
  auto& fresh = sessions_[session];
  fresh.heard = now;
  fresh.probed = now;
  return true;
}

// Linear, but only for new clients while the table is full.
bool session_table::make_room() {
  if (sessions_.size() < limits_.sessions)
    return true;
  auto oldest = sessions_.end();
  for (auto i = sessions_.begin(); i != sessions_.end(); ++i)
    if (i->second.requests.empty() &&
        (oldest == sessions_.end() || i->second.heard < oldest->second.heard))
      oldest = i;
  if (oldest == sessions_.end())
    return false;
  sessions_.erase(oldest);
  return true;
}

instant session_table::grant_lease(const std::string& session, instant asked) {
  const auto found = sessions_.find(session);
  if (found == sessions_.end())
    return instant{};
  found->second.lease = std::clamp(asked, instant{}, limits_.lease_max);
  return found->second.lease;
}

bool session_table::may_open(const std::string& session) const {
  const auto found = sessions_.find(session);
  return found != sessions_.end() &&
         found->second.requests.size() < limits_.requests;
}

void session_table::opened(const std::string& session, std::uint64_t request) {
  if (const auto found = sessions_.find(session); found != sessions_.end())
    found->second.requests.insert(request);
}

void session_table::closed(const std::string& session, std::uint64_t request) {
  if (const auto found = sessions_.find(session); found != sessions_.end())
    found->second.requests.erase(request);
}

std::vector<std::uint64_t> session_table::remove(const std::string& session) {
  const auto found = sessions_.find(session);
  if (found == sessions_.end())
    return {};
  const auto& owned = found->second.requests;
  std::vector<std::uint64_t> result(owned.begin(), owned.end());
  sessions_.erase(found);
  return result;
}

std::vector<std::string> session_table::due_probes(instant now) {
  std::vector<std::string> result;
  for (auto& [session, e] : sessions_) {
    const auto interval = e.requests.empty() ? limits_.idle_probe_interval
                                             : limits_.probe_interval;
    if (now - e.probed < interval)
      continue;
    e.probed = now;
    result.push_back(session);
  }
  return result;
}

std::vector<std::string> session_table::expired_leases(instant now) const {
  std::vector<std::string> result;
  for (const auto& [session, e] : sessions_)
    if (e.lease > instant{} && now - e.heard >= e.lease)
      result.push_back(session);
  return result;
}

bool session_table::knows(const std::string& session) const {
  return sessions_.contains(session);
}

} // namespace sluice::policy
