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
  messages::PageGrantT answer;
  answer.lane = request->lane();
  answer.plan = request->plan();
  if (request->needs())
    for (const auto* need : *request->needs()) {
      auto given =
          pages_->grant({need->sequence(), need->tokens()}, request->plan());
      if (!given) {
        answer.waiting.push_back(need->sequence());
        continue;
      }
      if (given->pages.empty())
        continue;
      auto delta = std::make_unique<messages::PageDeltaT>();
      delta->sequence = given->sequence;
      delta->first = given->first;
      delta->pages = std::move(given->pages);
      answer.granted.push_back(std::move(delta));
    }
  verify(answer);
  answer.free_pages = pages_->free_pages();
  return messages::pack<messages::PageGrant>(answer);
}

// A discrepancy costs the sequences that it names, never the daemon. The sum is
// checked at every step; the full check is for tests and for when the sum
// fails.
void kv_page_manager_state::verify(messages::PageGrantT& answer) {
  if (pages_->counts().sum() == config_.pool_pages && !config_.check_every_step)
    return;
  const auto problems = pages_->check();
  if (problems.empty())
    return;
  for (const auto& problem : problems)
    spdlog::error("kv_page_manager: {}", describe(problem));
  answer.lost = pages_->repair();
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
