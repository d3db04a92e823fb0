// SPDX-License-Identifier: Apache-2.0
// Answers that are chosen among others: beams, and the end of best_of.
#include "actors/batcher.hpp"

#include "messages/error_code.hpp"

namespace sluice::actors {

using messages::ErrorCode;

void batcher_state::take_choices(const policy::live_row& live,
                                 const messages::RowResult& row) {
  auto& request = *requests_.at(request_of(live.sequence));
  const auto index = index_of(live.sequence);
  // A row of before it gave way may be done when the search has gone on.
  if (!request.sequence(index).alive ||
      live.end != schedule_.tokens(live.sequence).size())
    return;
  if (!row.logprobs() || row.logprobs()->size() == 0 ||
      !row.logprobs()->Get(0)->top())
    return fail(request.number(), ErrorCode::executor_failed,
                "the executor gave no log-probabilities where the plan asked "
                "for those that beams choose from");
  if (request.beams()->take(index, *row.logprobs()->Get(0)))
    grow_beams(request);
}

void batcher_state::grow_beams(running_request& request) {
  const auto number = request.number();
  const auto next = request.beams()->decide();
  count_tokens(request, next.tokens);
  if (next.done)
    return finish_search(request);
  for (const auto& [parent, sequence, token] : next.born) {
    schedule_.fork(sequence_key(number, parent), sequence_key(number, sequence),
                   token);
    request.revive(sequence);
  }
  for (const auto& [sequence, token] : next.grown) {
    schedule_.append(sequence_key(number, sequence), token);
    pages_.progress.emplace_back(sequence_key(number, sequence), 0,
                                 static_cast<std::int32_t>(token));
  }
  for (const auto sequence : next.given_up)
    give_up(request, sequence);
}

/// What it alone has computed is of no use to anybody: the cache is for others.
void batcher_state::give_up(running_request& request, std::uint32_t index) {
  pages_.spoiled.push_back(sequence_key(request.number(), index));
  let_go(request, index);
}

void batcher_state::finish_search(running_request& request) {
  auto best = request.beams()->answers(request.work().n());
  for (auto& answer : best)
    if (auto echo = request.echo_of(answer.end->sequence))
      answer.deltas.insert(answer.deltas.begin(), std::move(echo));
  // One leaves the prompt to the cache.
  const auto living = request.living();
  for (const auto index : living)
    if (index != living.front())
      give_up(request, index);
  retire(request, living.front());
  publish_best(request, std::move(best));
}

void batcher_state::publish_best(running_request& request,
                                 std::vector<held_answer> best) {
  const auto reason =
      best.empty() ? messages::FinishReason::length : best.front().end->reason;
  for (auto& [deltas, end] : best) {
    for (auto& delta : deltas)
      send_delta(request.number(), std::move(delta));
    outgoing_.ends.push_back(std::make_unique<messages::SequenceEndOfT>());
    outgoing_.ends.back()->request = request.number();
    outgoing_.ends.back()->end = std::move(end);
  }
  finish(request, reason);
}

} // namespace sluice::actors
