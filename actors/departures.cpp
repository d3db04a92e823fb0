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

namespace {

departure close(departure gone) {
  gone.receipt().page_seconds = gone.request->page_seconds();
  return gone;
}

} // namespace

std::vector<departure> departures::take_settled() {
  std::vector<departure> settled;
  for (auto at = waiting_.begin(); at != waiting_.end();) {
    auto& gone = at->second;
    if (!gone.request->is_settled()) {
      ++at;
      continue;
    }
    settled.push_back(close(std::move(gone)));
    at = waiting_.erase(at);
  }
  return settled;
}

std::vector<departure> departures::take_all() {
  std::vector<departure> all;
  for (auto& [number, gone] : waiting_)
    all.push_back(close(std::move(gone)));
  waiting_.clear();
  return all;
}

} // namespace sluice::actors
