// SPDX-License-Identifier: Apache-2.0
// When the page manager's handler threw: its answer is empty.
#include <set>

#include "actors/batcher.hpp"
#include "messages/each.hpp"

namespace sluice::actors {
namespace {

using messages::each;

/// Requests that a question names in any way.
std::set<std::uint64_t> named_by(const messages::PageRequest& question) {
  std::set<std::uint64_t> all;
  const auto key = [&](std::uint64_t sequence) {
    all.insert(request_of(sequence));
  };
  const auto row = [&](const auto* of) { key(of->sequence()); };
  each(question.needs(), row);
  each(question.admit(), row);
  each(question.progress(), row);
  for (const auto* list :
       {question.release(), question.spoiled(), question.recompute(),
        question.swap_out(), question.swap_in()})
    each(list, key);
  return all;
}

} // namespace

// Nobody knows how much of the question was heard. So whoever it named fails,
// what they leave is kept for nobody, and the next question is audited: pages
// that were to be given back are found then. One that is lost too has a cause
// that stays: everybody fails, and the next request will tell whether it is
// gone. If it said that the cache is lost, nobody can trust a page: it is said
// again, and everybody fails at once.
void batcher_state::answer_lost() {
  const auto question = std::exchange(question_, {});
  const bool again = std::exchange(answer_was_lost_, true);
  pages_.cache_lost = pages_.cache_lost || question->cache_lost();
  draft_.reset();
  moving_.clear();
  coming_back_.clear();
  step_failed_ = true;
  const auto give_up = [this](std::uint64_t request) {
    fail(request, messages::ErrorCode::internal,
         "the lane's page manager failed in the step of this request; the "
         "daemon's log says how");
  };
  for (const auto request : named_by(*question))
    give_up(request);
  while ((again || pages_.cache_lost) && !requests_.empty())
    give_up(requests_.begin()->first);
  step_failed_ = false;
  next_audit_ = 0;
  close(departures_.take_all());
  publish();
  if (!again)
    plan_next();
}

} // namespace sluice::actors
