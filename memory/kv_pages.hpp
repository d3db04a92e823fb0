// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "memory/ledger.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace sluice {

/// Positions 0 .. tokens - 1 of a sequence must have a page.
struct page_need {
  std::uint64_t sequence = 0;
  std::uint32_t tokens = 0;
};

/// New entries of a sequence's page table, from entry `first` on.
struct page_delta {
  std::uint64_t sequence = 0;
  std::uint32_t first = 0;
  std::vector<std::uint32_t> pages;
};

/// Grants pages to sequences and takes them back. The decisions of the
/// KV_PAGE_MANAGER, without messages, clock or bytes.
class kv_pages {
public:
  /// @param pool_pages   pages of the lane's KV store.
  /// @param page_tokens  positions per page, > 0.
  /// @throws contract_violation if page_tokens is 0.
  kv_pages(std::uint32_t pool_pages, std::uint32_t page_tokens);

  /// Pages that a sequence lacks for a plan, which is recorded as naming the
  /// sequence.
  /// @return the new pages (none if it has enough), or nothing if the pool is
  ///         short: the sequence must wait and nothing changed.
  std::optional<page_delta> grant(const page_need& need, std::uint64_t plan);

  /// Takes a sequence's pages; they are in flight until every plan that named
  /// it is done. The same key may then be granted pages anew. Unknown
  /// sequences are none of our business.
  void release(std::uint64_t sequence);

  /// Every plan up to this one is done.
  void plans_done(std::uint64_t plan);

  /// Sequences whose pages the books dispute lose them and must fail.
  /// @return their keys; empty when check() is.
  std::vector<std::uint64_t> repair();

  ledger_counts counts() const { return ledger_.counts(); }
  std::vector<discrepancy> check() const { return ledger_.check(); }
  std::uint32_t free_pages() const { return ledger_.free_pages(); }
  std::uint32_t pool_pages() const { return ledger_.counts().sum(); }
  std::uint32_t page_tokens() const { return page_tokens_; }

  /// The books themselves, for tests that corrupt them.
  ledger& books_for_test() { return ledger_; }

private:
  ledger ledger_;
  std::uint32_t page_tokens_;
};

} // namespace sluice
