// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "memory/block_hash.hpp"
#include "memory/eviction_order.hpp"
#include "memory/page_pool.hpp"

#include <map>
#include <optional>
#include <set>
#include <span>
#include <unordered_map>
#include <vector>

namespace sluice {

/// How a prefix index works.
struct prefix_index_config {
  std::uint32_t page_tokens = 16;
  std::uint32_t most_pinned_pages = 0;
  std::uint64_t seed = 0;                 ///< random and secret
  block_hash_function hash = &hash_block; ///< another one in tests only
};

/// A block in the index, or a scope's root; never used twice.
using prefix_node = std::uint64_t;
inline constexpr prefix_node no_node = 0;

/// The cached pages that begin a prompt.
struct prefix_match {
  std::vector<page_id> pages;
  std::uint32_t tokens = 0;   ///< positions that are right in these pages
  std::uint32_t blocks = 0;   ///< pages that match in full; one more may
                              ///< match in its first positions
  prefix_node last = no_node; ///< the last full block, or the root
};

/// What became of an insert().
struct prefix_insertion {
  prefix_node node = no_node;      ///< the block, new or known; none: not taken
  page_id page = 0;                ///< that the block has now
  bool added = false;              ///< the caller's page is in the index now
  std::optional<page_id> replaced; ///< the page that the block had before
};

/// Which pages hold the KV of which tokens. A block is the tokens of one page
/// behind its parent block, and a full one is found by a chained hash that
/// begins with its scope; tokens and parent are compared on every hit, so that
/// a collision gives a miss, never wrong KV. A block of fewer tokens, which a
/// sequence left behind at its end, is found by its tokens, and so is the
/// beginning of any block.
///
/// Leaves are evicted before their parents, and none while it is held or
/// pinned. Pages are numbers here; the ledger knows who holds them.
class prefix_index {
public:
  /// @throws contract_violation if page_tokens is 0.
  explicit prefix_index(const prefix_index_config& config);

  /// The root of a scope, until as many close() as open().
  prefix_node open(const prefix_scope& scope);
  void reopen(prefix_node root);
  void close(prefix_node root);

  /// The longest run of cached pages that begins these tokens.
  /// @param root  as open() gave it.
  /// @note  O(blocks), and one O(log n) search for the last page.
  prefix_match find(prefix_node root,
                    std::span<const std::uint32_t> tokens) const;

  /// Names the content of a page that somebody holds.
  /// @param parent  root or full block; not taken if it is gone.
  /// @param tokens  1 .. page_tokens; fewer than page_tokens make a leaf.
  /// A known block keeps its page, unless nobody holds it: then the caller's
  /// page takes its place. A block whose hash another one has is not taken.
  prefix_insertion insert(prefix_node parent,
                          std::span<const std::uint32_t> tokens, page_id page,
                          const retention& worth);

  /// Raises what a block is worth: never lowers it.
  void retain(prefix_node node, const retention& worth);

  /// Keeps a block until unpin(); pinning it again changes nothing.
  /// @return false beyond the quota.
  bool pin(prefix_node node);
  void unpin(prefix_node node);

  /// Whether anybody holds a page of the index; others are ignored.
  void hold(page_id page);
  void idle(page_id page, instant now);

  /// Forgets the leaf that is worth least.
  /// @return its page, or nothing if all are held, pinned or not leaves.
  std::optional<page_id> evict(instant now);

  /// Forgets a page's block and all blocks behind it.
  /// @return their pages.
  std::vector<page_id> forget(page_id page);

  bool contains(prefix_node node) const { return nodes_.contains(node); }
  bool contains_page(page_id page) const { return by_page_.contains(page); }
  prefix_node node_of(page_id page) const;
  page_id page_of(prefix_node node) const { return nodes_.at(node).page; }
  std::size_t pages() const noexcept { return by_page_.size(); }
  std::uint32_t pinned_pages() const noexcept { return pinned_; }
  /// Neither held nor pinned: what eviction can give at most.
  std::uint32_t idle_pages() const noexcept { return idle_; }
  std::uint64_t collisions() const noexcept { return collisions_; }

  /// Compares everything with everything, for tests.
  bool is_sound() const;

private:
  struct node {
    prefix_node parent = no_node;
    block_hash hash; // of full blocks and roots
    std::vector<std::uint32_t> tokens;
    page_id page = 0;
    std::uint32_t children = 0;
    std::uint32_t users = 0; // of a root: open() less close()
    bool held = false;
    bool pinned = false;
    instant used{};
    retention worth;
    const prefix_scope* scope = nullptr; // of a root
  };
  /// Blocks by parent, then tokens.
  struct sibling {
    prefix_node parent = no_node;
    std::span<const std::uint32_t> tokens;
    prefix_node self = no_node;
    bool operator<(const sibling& other) const;
  };
  struct beginning {
    prefix_node node = no_node;
    std::uint32_t tokens = 0;
  };

  bool is_full(const node& of) const {
    return of.tokens.size() == config_.page_tokens;
  }
  beginning longest_beginning(prefix_node parent,
                              std::span<const std::uint32_t> tokens) const;
  const node* full_block(prefix_node parent, const block_hash& hash,
                         std::span<const std::uint32_t> tokens) const;
  prefix_insertion known(prefix_node which, page_id page,
                         const retention& worth);
  prefix_node add(node fresh);
  void remove(prefix_node which);
  void rearrange(prefix_node which);
  void change(prefix_node which, bool held, bool pinned);
  void drop_unused_root(prefix_node root);

  prefix_index_config config_;
  std::unordered_map<prefix_node, node> nodes_;
  std::unordered_map<block_hash, prefix_node, block_hash_bits> by_hash_;
  std::unordered_map<page_id, prefix_node> by_page_;
  std::set<sibling> siblings_;
  std::map<prefix_scope, prefix_node> scopes_;
  eviction_order order_;
  prefix_node next_ = 1;
  std::uint32_t pinned_ = 0;
  std::uint32_t idle_ = 0;
  std::uint64_t collisions_ = 0;
};

} // namespace sluice
