// SPDX-License-Identifier: Apache-2.0
#include "actors/policy/lane_schedule.hpp"

#include <algorithm>
#include <limits>

namespace sluice::policy {

// -- coming and going
// ----------------------------------------------------------------------

scheduled_sequence* lane_schedule::find(std::uint64_t sequence) const {
  const auto found = by_key_.find(sequence);
  return found == by_key_.end() ? nullptr : found->second;
}

void lane_schedule::join(new_sequence sequence) {
  auto s = std::make_unique<scheduled_sequence>(
      std::move(sequence), next_order_++, limits_.context_tokens);
  by_key_[s->key()] = s.get();
  const auto behind =
      std::find_if(running_.begin(), running_.end(), [&](const auto& other) {
        return other->priority() < s->priority();
      });
  running_.insert(behind, std::move(s));
}

void lane_schedule::fork(std::uint64_t parent, std::uint64_t child,
                         std::uint32_t token) {
  const auto* from = find(parent);
  if (!from)
    return;
  auto s = std::make_unique<scheduled_sequence>(from->fork(child, token));
  by_key_[child] = s.get();
  const auto at =
      std::find_if(running_.begin(), running_.end(),
                   [from](const auto& each) { return each.get() == from; });
  running_.insert(at + 1, std::move(s));
}

bool lane_schedule::may_enter(const scheduled_sequence& s) const {
  if (s.place() != sequence_place::coming)
    return false;
  const auto* parent = find(s.parent());
  if (parent && s.group() != 0)
    return parent->is_inside() && parent->computed() >= s.awaited();
  return !parent || parent->prompt_done();
}

std::vector<entry_wish> lane_schedule::wishes() {
  std::vector<entry_wish> all;
  for (const auto& s : running_)
    if (may_enter(*s)) {
      all.push_back({s->key(), s->most_cached(), s->parent()});
      s->ask();
    }
  return all;
}

void lane_schedule::enter(std::uint64_t sequence, std::uint32_t computed) {
  if (auto* s = find(sequence))
    s->enter(computed);
}

void lane_schedule::end(std::uint64_t sequence) {
  if (by_key_.erase(sequence) == 0)
    return;
  std::erase_if(running_,
                [sequence](const auto& s) { return s->key() == sequence; });
}

std::vector<std::uint64_t> lane_schedule::keys() const {
  std::vector<std::uint64_t> all;
  for (const auto& s : running_)
    all.push_back(s->key());
  return all;
}

// -- giving way
// ----------------------------------------------------------------------

std::uint32_t lane_schedule::pages_for(std::uint32_t tokens) const {
  return (tokens + limits_.page_tokens - 1) / limits_.page_tokens;
}

lane_schedule::unit lane_schedule::unit_at(std::size_t index) const {
  const auto group = running_[index]->group();
  auto end = index + 1;
  while (group != 0 && end < running_.size() && running_[end]->group() == group)
    ++end;
  return unit{running_}.subspan(index, end - index);
}

lane_schedule::unit lane_schedule::unit_with(std::uint64_t sequence) const {
  for (std::size_t i = 0; i < running_.size();) {
    const auto all = unit_at(i);
    for (const auto& s : all)
      if (s->key() == sequence)
        return all;
    i += all.size();
  }
  return {};
}

std::uint64_t lane_schedule::unit_of(std::uint64_t sequence) const {
  const auto all = unit_with(sequence);
  return all.empty() ? sequence : all.front()->key();
}

/// Full pages of the prompt, which all of a group share.
std::uint32_t lane_schedule::shared_pages(unit all) const {
  return all.size() == 1 ? 0
                         : all.front()->given_tokens() / limits_.page_tokens;
}

page_holder lane_schedule::holder_of(unit all) const {
  const auto shared = shared_pages(all);
  page_holder holder{.sequence = all.front()->key(),
                     .priority = all.front()->priority(),
                     .admitted = all.front()->order(),
                     .pages = shared,
                     .sequences = 0,
                     .context_tokens = shared * limits_.page_tokens,
                     .progress = std::numeric_limits<std::uint32_t>::max(),
                     .can_swap = all.front()->group() == 0};
  for (const auto& s : all)
    if (s->is_inside()) {
      const auto own = std::max(pages_for(s->planned()), shared) - shared;
      const auto common = std::min(s->planned(), shared * limits_.page_tokens);
      holder.pages += own;
      holder.context_tokens += s->planned() - common;
      holder.progress = std::min(holder.progress, s->progress());
      ++holder.sequences;
    }
  return holder;
}

page_seeker lane_schedule::seeker_of(unit all) const {
  const auto shared = shared_pages(all);
  page_seeker seeker{.sequence = all.front()->key(),
                     .priority = all.front()->priority(),
                     .admitted = all.front()->order(),
                     .pages = shared,
                     .sequences = static_cast<std::uint32_t>(all.size())};
  for (const auto& s : all) {
    const auto next = std::max<std::uint32_t>(
        s->planned() + 1, static_cast<std::uint32_t>(s->tokens().size()));
    seeker.pages += std::max(pages_for(next), shared) - shared;
  }
  return seeker;
}

std::vector<page_holder> lane_schedule::holders() const {
  std::vector<page_holder> found;
  for (std::size_t i = 0; i < running_.size();) {
    const auto all = unit_at(i);
    i += all.size();
    if (std::ranges::any_of(all, [](auto& s) { return s->is_inside(); }))
      found.push_back(holder_of(all));
  }
  return found;
}

std::vector<page_seeker> lane_schedule::seekers() const {
  std::vector<page_seeker> found;
  for (std::size_t i = 0; i < running_.size();) {
    const auto all = unit_at(i);
    i += all.size();
    if (std::ranges::all_of(
            all, [](auto& s) { return s->is_outside() && !s->is_named(); }))
      found.push_back(seeker_of(all));
  }
  return found;
}

std::vector<std::uint64_t> lane_schedule::give_way(std::uint64_t sequence,
                                                   enum give_way how) {
  std::vector<std::uint64_t> gone;
  for (const auto& s : unit_with(sequence)) {
    if (s->is_inside())
      gone.push_back(s->key());
    s->leave(how == give_way::swap && s->group() == 0
                 ? sequence_place::swapped
                 : sequence_place::dropped);
  }
  return gone;
}

void lane_schedule::ask_again(std::uint64_t sequence) {
  const auto all = unit_with(sequence);
  for (const auto& s : all)
    if (s == all.front())
      s->lead();
    else
      s->follow(*all.front());
}

void lane_schedule::come_back(std::uint64_t sequence) {
  if (auto* s = find(sequence))
    s->come_back();
}

bool lane_schedule::is_swapped(std::uint64_t sequence) const {
  const auto* s = find(sequence);
  return s && s->place() == sequence_place::swapped;
}

std::uint32_t lane_schedule::outside() const {
  return static_cast<std::uint32_t>(
      std::count_if(running_.begin(), running_.end(),
                    [](const auto& s) { return s->is_outside(); }));
}

lane_losses lane_schedule::start_over() {
  lane_losses lost;
  for (const auto& s : running_) {
    if (s->is_inside() || s->place() == sequence_place::swapped)
      lost.held.push_back(s->key());
    if (s->is_named())
      lost.named.push_back(s->key());
    s->start_over();
  }
  plans_.clear();
  return lost;
}

} // namespace sluice::policy
