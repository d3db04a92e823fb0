// SPDX-License-Identifier: Apache-2.0
// What the prefix index keeps, and what it gives up first.
#include "memory/prefix_index.hpp"

#include <algorithm>

namespace sluice {

/// Puts a block into the eviction order or takes it out.
void prefix_index::rearrange(prefix_node which) {
  const auto& block = nodes_.at(which);
  if (block.held || block.pinned || block.children > 0 || block.scope)
    order_.remove(which);
  else
    order_.add(which, block.used, block.worth);
}

/// Sets who keeps a block in memory, and all that follows from it.
void prefix_index::change(prefix_node which, bool held, bool pinned) {
  auto& block = nodes_.at(which);
  const auto is_idle = [&block] { return !block.held && !block.pinned; };
  idle_ -= is_idle();
  pinned_ -= block.pinned;
  block.held = held;
  block.pinned = pinned;
  idle_ += is_idle();
  pinned_ += block.pinned;
  rearrange(which);
}

void prefix_index::retain(prefix_node node, const retention& worth) {
  const auto found = nodes_.find(node);
  if (found == nodes_.end())
    return;
  auto& now = found->second.worth;
  now.priority = std::max(now.priority, worth.priority);
  now.keep_until = std::max(now.keep_until, worth.keep_until);
  rearrange(node);
}

bool prefix_index::pin(prefix_node node) {
  const auto found = nodes_.find(node);
  if (found == nodes_.end() || found->second.scope)
    return false;
  const auto& block = found->second;
  if (!block.pinned && pinned_ >= config_.most_pinned_pages)
    return false;
  change(node, block.held, true);
  return true;
}

void prefix_index::unpin(prefix_node node) {
  const auto found = nodes_.find(node);
  if (found != nodes_.end() && found->second.pinned)
    change(node, found->second.held, false);
}

void prefix_index::hold(page_id page) {
  if (const auto which = node_of(page); which != no_node)
    change(which, true, nodes_.at(which).pinned);
}

void prefix_index::idle(page_id page, instant now) {
  const auto which = node_of(page);
  if (which == no_node)
    return;
  auto& block = nodes_.at(which);
  block.used = std::max(block.used, now);
  change(which, false, block.pinned);
}

std::optional<page_id> prefix_index::evict(instant now) {
  const auto which = order_.pop(now);
  if (!which)
    return std::nullopt;
  const auto page = nodes_.at(*which).page;
  remove(*which);
  return page;
}

bool prefix_index::is_sound() const {
  std::unordered_map<prefix_node, std::uint32_t> children;
  std::uint32_t idle = 0;
  std::uint32_t pinned = 0;
  std::size_t blocks = 0;
  bool sound = true;
  for (const auto& [which, block] : nodes_) {
    if (block.scope) {
      sound = sound && scopes_.at(*block.scope) == which;
      continue;
    }
    ++blocks;
    ++children[block.parent];
    idle += !block.held && !block.pinned;
    pinned += block.pinned;
    const bool may_go = !block.held && !block.pinned && block.children == 0;
    sound = sound && nodes_.contains(block.parent) &&
            by_page_.at(block.page) == which &&
            siblings_.contains({block.parent, block.tokens}) &&
            order_.contains(which) == may_go &&
            (!is_full(block) || by_hash_.at(block.hash) == which) &&
            (is_full(block) || block.children == 0);
  }
  for (const auto& [which, block] : nodes_)
    sound = sound && block.children == children[which];
  return sound && idle == idle_ && pinned == pinned_ &&
         blocks == by_page_.size() && blocks == siblings_.size();
}

} // namespace sluice
