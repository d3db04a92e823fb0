// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

namespace sluice::policy {

/// What a token counts when tenants are compared.
struct token_prices {
  double input = 1;
  double output = 2; // a step each, where a prompt's are many in one
};

/// Virtual token counters: how much service each tenant has had, weighed.
///
/// The tenant with the lowest counter is served next. A tenant that comes back
/// with work is lifted to the lowest counter among those that have work, so
/// that what it did not use while away is not owed to it; nor is it punished
/// for what it got while nobody else was there. Two tenants that always have
/// work then differ by a bounded amount of service, whatever each asks for.
/// @source Sheng et al. 2024, "Fairness in Serving Large Language Models",
///         algorithm 2.
class fair_share {
public:
  static constexpr std::size_t most_idle = 4096; // tenants remembered

  explicit fair_share(token_prices prices = {}) : prices_{prices} {}

  /// How much of the lane a tenant deserves beside others; 1 unless set.
  /// @pre weight > 0.
  void set_weight(const std::string& tenant, double weight);

  /// A request of the tenant begins to wait.
  void arrives(const std::string& tenant);

  /// It waits no more: it runs or has gone.
  void leaves_queue(const std::string& tenant);

  void charge_input(const std::string& tenant, std::uint64_t tokens);
  void charge_output(const std::string& tenant, std::uint64_t tokens);

  /// The service that the tenant had, in input tokens over its weight.
  double counter(const std::string& tenant) const;

  /// Forgets tenants without waiting requests that are not ahead of those with
  /// some: their counters say nothing any more. If too many are left, it
  /// forgets those that are ahead too: names without end take bounded memory.
  /// Called by arrives() from time to time.
  void forget_idle();

  std::size_t known() const noexcept { return accounts_.size(); }

private:
  struct account {
    double counter = 0;
    double weight = 1;
    std::uint32_t waiting = 0;
    bool weighed = false; // by set_weight: kept
  };

  double lowest_waiting() const;

  token_prices prices_;
  std::unordered_map<std::string, account> accounts_;
  double last_left_ = 0; // counter of the last tenant whose queue ran empty
  std::size_t sweep_at_ = 1024;
};

} // namespace sluice::policy
