// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "memory/kv_moves.hpp"
#include "memory/prefix_index.hpp"

#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

namespace sluice {

/// The memory of one lane.
struct kv_pages_config {
  std::uint32_t pool_pages = 0;        ///< of the KV store
  std::uint32_t page_tokens = 16;      ///< positions per page, > 0
  std::uint32_t host_slots = 0;        ///< swapped pages; 0: no swap
  std::uint32_t most_pinned_pages = 0; ///< leave room for who runs
  std::uint64_t hash_seed = 0;         ///< random and secret
  block_hash_function hash = &hash_block;
};

/// Grants pages to sequences and takes them back, keeps what they computed for
/// others, and says what must be copied and swapped. The decisions of the
/// KV_PAGE_MANAGER, without messages, clock or bytes.
///
///   admit() -> { grant() -> plan -> extend(), computed() } -> release()
///
/// The executor carries a plan's moves out before its rows: swaps out, swaps
/// in, copies. A plan that was given moves must be run, or the moves must go
/// with the next one.
class kv_pages {
public:
  /// @throws contract_violation if page_tokens is 0.
  explicit kv_pages(const kv_pages_config& config);
  kv_pages(std::uint32_t pool_pages, std::uint32_t page_tokens);

  /// The time at which everything that follows happens; never goes back.
  void advance(instant now);

  // -- a sequence's life

  /// A new sequence takes the cached pages that begin its tokens. The last
  /// token is never taken as known, so that its position is computed and its
  /// successor can be sampled; what lies in a shared page is copied by the
  /// first grant.
  /// @param tokens  all that are known: the prompt, and after a preemption what
  ///                was generated.
  /// @throws contract_violation if the sequence is known: release it first.
  adoption admit(std::uint64_t sequence, const prefix_scope& scope,
                 std::span<const std::uint32_t> tokens,
                 const retention& worth = {});

  /// A child begins with the parent's first positions and shares their pages;
  /// who writes a shared page first gets a copy.
  /// @param tokens  of the parent, computed.
  /// @return false, and no change, if the parent is unknown, swapped or has not
  ///         computed so much, or the child is known.
  bool fork(std::uint64_t parent, std::uint64_t child, std::uint32_t tokens);

  /// Pages that a sequence lacks for a plan, which is recorded as naming the
  /// sequence. Cached pages are evicted for it; pages that the plan would write
  /// and that others see are replaced by copies.
  /// @return what is new in the page table, or nothing if the pool is short or
  ///         the sequence is swapped: it must wait and nothing changed for it.
  std::optional<page_delta> grant(const page_need& need, std::uint64_t plan);

  /// Tokens behind those that are known: what was sampled.
  void extend(std::uint64_t sequence, std::span<const std::uint32_t> tokens);

  /// Finished plans have computed positions 0 .. tokens - 1. Full pages of
  /// known tokens are in the cache from here.
  /// @param tokens  never goes back (truncate() does); more than has pages is
  ///                as much as has pages.
  void computed(std::uint64_t sequence, std::uint32_t tokens);

  /// The sequence keeps its first tokens only.
  void truncate(std::uint64_t sequence, std::uint32_t tokens);

  /// Takes a sequence's pages. What it computed stays in the cache, the last
  /// partial page too; the rest is in flight until every plan that named it is
  /// done. The same key may then come anew. Unknown sequences are none of our
  /// business.
  page_usage release(std::uint64_t sequence);

  /// release() of a sequence whose pages may hold anything: nothing that is its
  /// own stays in the cache.
  page_usage discard(std::uint64_t sequence);

  /// release() of a sequence that will be admitted again and recompute what the
  /// cache has lost by then.
  page_usage preempt(std::uint64_t sequence);

  /// Moves a sequence's pages to host memory, in a plan that does not name the
  /// sequence. They are in flight until it is done.
  /// @return the moves, or nothing, and no change, if host memory is short, the
  ///         sequence is unknown or swapped, or the same plan moves its pages.
  std::optional<std::vector<page_swap>> swap_out(std::uint64_t sequence,
                                                 std::uint64_t plan);

  /// Brings a swapped sequence back, in a plan that may name it. Pages that the
  /// cache still has are shared again instead.
  /// @return the moves, or nothing, and no change, if the pool is short, the
  ///         sequence is not swapped, or the same plan takes it out.
  std::optional<std::vector<page_swap>> swap_in(std::uint64_t sequence,
                                                std::uint64_t plan);

  /// Pages that grant() would take for a need: what is behind a refusal.
  std::uint32_t wanted(const page_need& need) const;

  // -- every step

  /// Every plan up to this one is done.
  void plans_done(std::uint64_t plan);

  /// Ends the pins of a prompt that was admitted to stay, whoever asked for
  /// them.
  void unpin(const prefix_scope& scope, std::span<const std::uint32_t> tokens);

  /// Nothing that pages held is there any more: the cache forgets all of it,
  /// what was pinned too. Sequences that run are to be discarded first.
  void forget_cache();

  /// Sequences whose pages the books dispute lose them and must fail.
  /// @return their keys; empty when check() is.
  std::vector<std::uint64_t> repair();

  /// Sequences that have pages or slots and are not among the living.
  /// @note  O(sequences), for when nothing runs or now and then.
  std::vector<stray_owner> strays(std::span<const std::uint64_t> living) const;

  /// Takes the pages and slots of a stray owner, whether or not there is a
  /// record of it.
  void take_back(owner_id stray);

  // -- answers

  /// @note O(sequences), for the waste.
  kv_report report() const;
  /// Of a running sequence.
  page_usage usage(std::uint64_t sequence) const;
  std::span<const page_id> pages_of(std::uint64_t sequence) const {
    return ledger_.pages_of(sequence);
  }
  bool is_swapped(std::uint64_t sequence) const;

  ledger_counts counts() const;
  bool sums_agree() const { return ledger_.sums_agree(); }
  std::vector<discrepancy> check() const { return ledger_.check(); }
  std::uint32_t free_pages() const { return ledger_.free_pages(); }
  /// Free, or cached by nobody who runs: what grants can come to at most.
  std::uint32_t available_pages() const {
    return ledger_.free_pages() + index_.idle_pages();
  }
  std::uint32_t pool_pages() const { return config_.pool_pages; }
  std::uint32_t page_tokens() const { return config_.page_tokens; }

  const ledger& books() const { return ledger_; }

  /// The books themselves, for tests that corrupt them.
  ledger& books_for_test() { return ledger_; }
  const prefix_index& index_for_test() const { return index_; }

private:
  struct sequence_record {
    std::vector<std::uint32_t> tokens; // known
    prefix_node root = no_node;        // none: neither finds nor leaves cache
    prefix_node last = no_node;        // block before entry `indexed`
    retention worth;
    std::uint32_t pinned_blocks = 0;    // of the prompt, if it is to be pinned
    std::uint32_t indexed = 0;          // pages that the index knows, from 0
    std::uint32_t computed = 0;         // tokens
    std::uint32_t planned = 0;          // tokens that plans compute
    std::uint32_t told = 0;             // entries that grants have named
    std::uint32_t matched = 0;          // tokens
    bool may_share = false;             // a page may have other holders
    std::vector<slot_id> slots;         // swapped
    std::optional<std::uint64_t> moved; // last plan that moves its pages
  };
  using entries = std::vector<std::uint32_t>;

  sequence_record* find(std::uint64_t sequence);
  prefix_match match_of(const sequence_record& s) const;
  void adopt(std::uint64_t sequence, sequence_record& s);
  bool may_pin(std::uint32_t blocks, const prefix_match& match) const;
  void close(sequence_record& s);
  std::uint32_t share_cached_blocks(std::uint64_t sequence, sequence_record& s);
  bool is_private(page_id page) const;
  entries shared_entries(const sequence_record& s, const page_need& need) const;
  bool make_room(std::uint32_t pages);
  bool make_room_or_take_over(const page_need& need, std::uint32_t fresh,
                              entries& shared);
  std::vector<page_copy> copy_shared(const page_need& need,
                                     const entries& shared);
  void index_full_pages(std::uint64_t sequence, sequence_record& s);
  void index_tail(std::uint64_t sequence, const sequence_record& s);
  void note(const prefix_insertion& made, bool pin, const retention& worth);
  void forget(page_id page);
  void drain_idle();

  kv_pages_config config_;
  ledger ledger_;
  prefix_index index_;
  host_slots slots_;
  std::unordered_map<std::uint64_t, sequence_record> sequences_;
  kv_report totals_; // what only ever grows
  instant now_{};
};

} // namespace sluice
