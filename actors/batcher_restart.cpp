// SPDX-License-Identifier: Apache-2.0
// When the device was lost and made anew: tokens are known, KV is not.
#include <set>

#include "actors/batcher.hpp"
#include "messages/error_code.hpp"

namespace sluice::actors {

// A question about pages that is on its way is answered first: who it lets in
// starts over with the others, and a plan that follows from it is void.
void batcher_state::renewed(std::uint64_t life) {
  new_life_ = life;
  plan_next();
}

/// Plans without a result are void, whatever they had done. Each sequence is
/// computed again from its tokens, as after giving way.
void batcher_state::start_over() {
  messages::AttachT attach;
  attach.lane = config_.lane;
  attach.life = *std::exchange(new_life_, std::nullopt);
  self_->send(to_.executor, messages::pack<messages::Attach>(attach));
  left_.clear(); // it knows nobody
  moves_.clear();
  pages_.progress.clear();
  pages_.swap_out.clear();
  pages_.swap_in.clear();
  pages_.cache_lost = true;
  pressure_.pool_has({}); // until it has been asked
  stalled_ = false;
  measures_.interrupted();
  const auto lost = schedule_.start_over();
  for (const auto sequence : lost.held)
    take_away(sequence);
  fail_suspects(lost.named);
  publish();
}

void batcher_state::take_away(std::uint64_t sequence) {
  pages_.spoiled.push_back(sequence);
  await_usage(request_of(sequence));
  requests_.at(request_of(sequence))->sequence(index_of(sequence)).joined =
      false;
}

/// Whose steps lose the device again and again must not run once more.
void batcher_state::fail_suspects(const std::vector<std::uint64_t>& named) {
  std::set<std::uint64_t> suspects;
  for (const auto sequence : named)
    suspects.insert(request_of(sequence));
  for (const auto request : suspects)
    if (!requests_.at(request)->bear_loss())
      fail(request, messages::ErrorCode::executor_failed,
           "the device was lost " +
               std::to_string(policy::request_losses::most) +
               " times in steps of this request, which came no further; do "
               "not submit it again before the daemon's log has been looked "
               "at");
}

} // namespace sluice::actors
