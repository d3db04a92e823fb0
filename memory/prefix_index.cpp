// SPDX-License-Identifier: Apache-2.0
#include "memory/prefix_index.hpp"

#include "kernels/check.hpp"

#include <algorithm>
#include <utility>

namespace sluice {

bool prefix_index::sibling::operator<(const sibling& other) const {
  if (parent != other.parent)
    return parent < other.parent;
  return std::lexicographical_compare(tokens.begin(), tokens.end(),
                                      other.tokens.begin(), other.tokens.end());
}

prefix_index::prefix_index(const prefix_index_config& config)
    : config_{config} {
  require(config.page_tokens > 0,
          "prefix_index: a page holds at least one token");
}

// -- scopes
// ----------------------------------------------------------------------

prefix_node prefix_index::open(const prefix_scope& scope) {
  const auto [at, is_new] = scopes_.try_emplace(scope, next_);
  if (is_new) {
    auto& root = nodes_[next_++];
    root.hash = hash_scope(config_.seed, scope);
    root.scope = &at->first;
  }
  ++nodes_.at(at->second).users;
  return at->second;
}

void prefix_index::reopen(prefix_node root) {
  ++nodes_.at(root).users;
}

void prefix_index::close(prefix_node root) {
  --nodes_.at(root).users;
  drop_unused_root(root);
}

void prefix_index::drop_unused_root(prefix_node root) {
  const auto& of = nodes_.at(root);
  if (!of.scope || of.users > 0 || of.children > 0)
    return;
  scopes_.erase(scopes_.find(*of.scope));
  nodes_.erase(root);
}

// -- look-up
// ----------------------------------------------------------------------

const prefix_index::node*
prefix_index::full_block(prefix_node parent, const block_hash& hash,
                         std::span<const std::uint32_t> tokens) const {
  const auto found = by_hash_.find(hash);
  if (found == by_hash_.end())
    return nullptr;
  const auto& block = nodes_.at(found->second);
  const bool same =
      block.parent == parent && std::ranges::equal(block.tokens, tokens);
  return same ? &block : nullptr;
}

/// Neighbours in lexicographical order share the most tokens.
prefix_index::beginning
prefix_index::longest_beginning(prefix_node parent,
                                std::span<const std::uint32_t> tokens) const {
  beginning best;
  const auto consider = [&](const sibling& block) {
    if (block.parent != parent)
      return;
    const auto differ = std::ranges::mismatch(block.tokens, tokens);
    const auto common = static_cast<std::uint32_t>(differ.in2 - tokens.begin());
    if (common > best.tokens)
      best = {block.self, common};
  };
  const auto next = siblings_.lower_bound({parent, tokens});
  if (next != siblings_.end())
    consider(*next);
  if (next != siblings_.begin())
    consider(*std::prev(next));
  return best;
}

prefix_match prefix_index::find(prefix_node root,
                                std::span<const std::uint32_t> tokens) const {
  prefix_match result;
  result.last = root;
  auto hash = nodes_.at(root).hash;
  for (; tokens.size() >= config_.page_tokens;
       tokens = tokens.subspan(config_.page_tokens)) {
    const auto block = tokens.first(config_.page_tokens);
    hash = config_.hash(config_.seed, hash, block);
    const auto* found = full_block(result.last, hash, block);
    if (!found)
      break;
    result.pages.push_back(found->page);
    result.last = by_page_.at(found->page);
    ++result.blocks;
  }
  result.tokens = result.blocks * config_.page_tokens;
  const auto rest =
      tokens.first(std::min<std::size_t>(tokens.size(), config_.page_tokens));
  if (const auto tail = longest_beginning(result.last, rest); tail.tokens > 0) {
    result.pages.push_back(nodes_.at(tail.node).page);
    result.tokens += tail.tokens;
  }
  return result;
}

prefix_node prefix_index::node_of(page_id page) const {
  const auto found = by_page_.find(page);
  return found == by_page_.end() ? no_node : found->second;
}

// -- blocks
// ----------------------------------------------------------------------

prefix_insertion prefix_index::insert(prefix_node parent,
                                      std::span<const std::uint32_t> tokens,
                                      page_id page, const retention& worth) {
  const auto above = nodes_.find(parent);
  if (above == nodes_.end() || tokens.empty() ||
      tokens.size() > config_.page_tokens)
    return {};
  node fresh{.parent = parent, .page = page, .held = true, .worth = worth};
  fresh.tokens.assign(tokens.begin(), tokens.end());
  if (is_full(fresh)) {
    fresh.hash = config_.hash(config_.seed, above->second.hash, tokens);
    if (const auto* same = full_block(parent, fresh.hash, tokens))
      return known(by_page_.at(same->page), page, worth);
    if (by_hash_.contains(fresh.hash)) {
      ++collisions_;
      return {};
    }
  } else if (const auto other = longest_beginning(parent, tokens);
             other.tokens == tokens.size()) {
    return {other.node, nodes_.at(other.node).page};
  }
  if (by_page_.contains(page))
    return {};
  return {.node = add(std::move(fresh)), .page = page, .added = true};
}

prefix_insertion prefix_index::known(prefix_node which, page_id page,
                                     const retention& worth) {
  retain(which, worth);
  auto& block = nodes_.at(which);
  if (block.page == page || block.held || block.pinned ||
      by_page_.contains(page))
    return {.node = which, .page = block.page};
  const auto before = std::exchange(block.page, page);
  by_page_.erase(before);
  by_page_.emplace(page, which);
  change(which, true, block.pinned);
  return {.node = which, .page = page, .added = true, .replaced = before};
}

prefix_node prefix_index::add(node fresh) {
  const auto which = next_++;
  by_page_.emplace(fresh.page, which);
  if (is_full(fresh))
    by_hash_.emplace(fresh.hash, which);
  const auto parent = fresh.parent;
  ++nodes_.at(parent).children;
  rearrange(parent);
  const auto at = nodes_.emplace(which, std::move(fresh)).first;
  siblings_.insert({parent, at->second.tokens, which});
  return which;
}

void prefix_index::remove(prefix_node which) {
  change(which, true, false);
  const auto& block = nodes_.at(which);
  const auto parent = block.parent;
  siblings_.erase({parent, block.tokens});
  by_page_.erase(block.page);
  if (is_full(block))
    by_hash_.erase(block.hash);
  nodes_.erase(which);
  --nodes_.at(parent).children;
  rearrange(parent);
  drop_unused_root(parent);
}

std::vector<page_id> prefix_index::forget(page_id page) {
  std::vector<prefix_node> doomed{node_of(page)};
  if (doomed.front() == no_node)
    return {};
  for (std::size_t i = 0; i < doomed.size(); ++i)
    for (auto at = siblings_.lower_bound({doomed[i], {}});
         at != siblings_.end() && at->parent == doomed[i]; ++at)
      doomed.push_back(at->self);
  std::vector<page_id> pages;
  for (auto which = doomed.rbegin(); which != doomed.rend(); ++which) {
    pages.push_back(nodes_.at(*which).page);
    remove(*which);
  }
  return pages;
}

} // namespace sluice
