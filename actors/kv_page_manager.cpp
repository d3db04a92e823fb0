// SPDX-License-Identifier: Apache-2.0
#include "actors/kv_page_manager.hpp"

#include "actors/guard.hpp"

namespace sluice::actors {

kv_page_manager_state::kv_page_manager_state(
    kv_page_manager_actor::pointer self)
    : self_{self} {}

void kv_page_manager_state::configure(const kv_page_manager_config& config) {
  config_ = config;
  pages_ = std::make_unique<kv_pages>(config.pool_pages, config.page_tokens);
}

void kv_page_manager_state::settle(const messages::PageRequest& request) {
  if (request.release())
    for (const auto sequence : *request.release())
      pages_->release(sequence);
  pages_->plans_done(request.finished_plan());
}

frame<messages::PageGrant>
kv_page_manager_state::grant(frame<messages::PageRequest> request) {
  settle(*request);
  auto& to = grants_.begin();
  waiting_.clear();
  granted_.clear();
  if (request->needs())
    for (const auto* need : *request->needs()) {
      const auto given =
          pages_->grant({need->sequence(), need->tokens()}, request->plan());
      if (!given)
        waiting_.push_back(need->sequence());
      else if (!given->pages.empty())
        granted_.push_back(messages::CreatePageDeltaDirect(
            to, given->sequence, given->first, &given->pages));
    }
  const auto lost = verify();
  const auto list = [&to](const auto& of) {
    return of.empty() ? 0 : to.CreateVector(of.data(), of.size());
  };
  const auto granted = list(granted_);
  const auto waiting = list(waiting_);
  const auto losers = list(lost);
  return grants_.finish(
      messages::CreatePageGrant(to, request->lane(), request->plan(), granted,
                                waiting, pages_->free_pages(), losers));
}

// A discrepancy costs the sequences that it names, never the daemon. The sums
// are compared at every step; the full check is for tests and for when they
// differ.
std::vector<std::uint64_t> kv_page_manager_state::verify() {
  if (pages_->sums_agree() && !config_.check_every_step)
    return {};
  const auto problems = pages_->check();
  if (problems.empty())
    return {};
  for (const auto& problem : problems)
    spdlog::error("kv_page_manager: {}", describe(problem));
  return pages_->repair();
}

ledger_report kv_page_manager_state::report() {
  const auto counts = pages_->counts();
  return {.pool = counts.sum(),
          .free = counts.free,
          .active = counts.active,
          .in_flight = counts.in_flight};
}

kv_page_manager_actor::behavior_type kv_page_manager(
    kv_page_manager_actor::stateful_pointer<kv_page_manager_state> self,
    kv_page_manager_config config) {
  self->state.configure(config);
  return {guarded(self, &kv_page_manager_state::grant),
          guarded_on<report_atom>(self, &kv_page_manager_state::report)};
}

} // namespace sluice::actors
