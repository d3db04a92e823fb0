// SPDX-License-Identifier: Apache-2.0
#include "actors/policy/request_registry.hpp"

#include <utility>

#include "kernels/check.hpp"

namespace sluice::policy {

familiarity request_registry::compare(const request_key& key,
                                      const body_hash& body) const {
  const auto found = by_key_.find(key);
  if (found == by_key_.end())
    return familiarity::fresh;
  return by_number_.at(found->second).body == body ? familiarity::same
                                                   : familiarity::conflict;
}

request_record& request_registry::add(request_key key, const body_hash& body) {
  const auto number = last_number_ + 1;
  const auto [_, inserted] = by_key_.emplace(key, number);
  require(inserted, "request_registry::add: the key is known; call compare()");
  last_number_ = number;
  auto& record = by_number_[number];
  record.number = number;
  record.key = std::move(key);
  record.body = body;
  ++preparing_;
  return record;
}

request_record* request_registry::find(const request_key& key) {
  const auto found = by_key_.find(key);
  return found == by_key_.end() ? nullptr : find(found->second);
}

request_record* request_registry::find(std::uint64_t number) {
  const auto found = by_number_.find(number);
  return found == by_number_.end() ? nullptr : &found->second;
}

void request_registry::advance(request_record& record, request_phase to) {
  if (record.phase == request_phase::preparing)
    --preparing_;
  record.phase = to;
  if (to == request_phase::preparing)
    ++preparing_;
}

void request_registry::erase(std::uint64_t number) {
  const auto found = by_number_.find(number);
  if (found == by_number_.end())
    return;
  if (found->second.phase == request_phase::preparing)
    --preparing_;
  by_key_.erase(found->second.key);
  by_number_.erase(found);
}

} // namespace sluice::policy
