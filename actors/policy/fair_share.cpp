// SPDX-License-Identifier: Apache-2.0
#include "actors/policy/fair_share.hpp"

#include <algorithm>
#include <limits>

#include "kernels/check.hpp"

namespace sluice::policy {

void fair_share::set_weight(const std::string& tenant, double weight) {
  require(weight > 0, "fair_share::set_weight: a weight is above zero");
  auto& account = accounts_[tenant];
  account.weight = weight;
  account.weighed = true;
}

double fair_share::lowest_waiting() const {
  auto lowest = std::numeric_limits<double>::infinity();
  for (const auto& [tenant, account] : accounts_)
    if (account.waiting > 0)
      lowest = std::min(lowest, account.counter);
  return lowest;
}

void fair_share::arrives(const std::string& tenant) {
  if (accounts_.size() >= sweep_at_) {
    forget_idle();
    sweep_at_ = std::max<std::size_t>(1024, 2 * accounts_.size());
  }
  if (auto& account = accounts_[tenant]; account.waiting == 0) {
    const auto lowest = lowest_waiting();
    const auto floor =
        lowest < std::numeric_limits<double>::infinity() ? lowest : last_left_;
    account.counter = std::max(account.counter, floor);
  }
  ++accounts_[tenant].waiting;
}

void fair_share::leaves_queue(const std::string& tenant) {
  const auto found = accounts_.find(tenant);
  if (found == accounts_.end() || found->second.waiting == 0)
    return;
  if (--found->second.waiting == 0)
    last_left_ = found->second.counter;
}

void fair_share::charge_input(const std::string& tenant, std::uint64_t tokens) {
  auto& account = accounts_[tenant];
  account.counter +=
      prices_.input * static_cast<double>(tokens) / account.weight;
}

void fair_share::charge_output(const std::string& tenant,
                               std::uint64_t tokens) {
  auto& account = accounts_[tenant];
  account.counter +=
      prices_.output * static_cast<double>(tokens) / account.weight;
}

double fair_share::counter(const std::string& tenant) const {
  const auto found = accounts_.find(tenant);
  return found == accounts_.end() ? 0 : found->second.counter;
}

void fair_share::forget_idle() {
  const auto lowest = lowest_waiting();
  const auto floor =
      lowest < std::numeric_limits<double>::infinity() ? lowest : last_left_;
  const auto forget = [this](double most) {
    std::erase_if(accounts_, [most](const auto& each) {
      const auto& account = each.second;
      return account.waiting == 0 && !account.weighed &&
             account.counter <= most;
    });
  };
  forget(floor);
  if (accounts_.size() > most_idle)
    forget(std::numeric_limits<double>::infinity());
}

} // namespace sluice::policy
