// SPDX-License-Identifier: Apache-2.0
#include "actors/departures.hpp"

namespace sluice::actors {

messages::ReceiptT& departure::receipt() {
  return finished ? *finished->receipt : *failed->receipt;
}

messages::ErrorCode departure::code() const {
  return failed ? failed->code : messages::ErrorCode::none;
}

void departures::add(departure gone) {
  const auto number = gone.request->number();
  waiting_[number] = std::move(gone);
}

void departures::await_usage(std::uint64_t request) {
  if (const auto found = waiting_.find(request); found != waiting_.end())
    found->second.request->await_usage();
}

bool departures::count_usage(std::uint64_t request, double page_seconds) {
  const auto found = waiting_.find(request);
  if (found == waiting_.end())
    return false;
  found->second.request->count_usage(page_seconds);
  return true;
}

std::vector<departure> departures::take_settled() {
  std::vector<departure> settled;
  for (auto at = waiting_.begin(); at != waiting_.end();) {
    auto& gone = at->second;
    if (!gone.request->is_settled()) {
      ++at;
      continue;
    }
    gone.receipt().page_seconds = gone.request->page_seconds();
    settled.push_back(std::move(gone));
    at = waiting_.erase(at);
  }
  return settled;
}

} // namespace sluice::actors
