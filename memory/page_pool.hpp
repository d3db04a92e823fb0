// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace sluice {

/// Number of a page: its index in the KV store.
using page_id = std::uint32_t;

/// The free pages of one KV store, by number; the bytes are kv_store's. Who
/// owns the others is the ledger's business.
/// @note the page that came back last is given out first: its bytes are warm.
class page_pool {
public:
  explicit page_pool(std::uint32_t pages);

  /// Takes pages out of the pool.
  /// @return `count` pages, or nothing if fewer are free; then none is taken.
  std::optional<std::vector<page_id>> take(std::uint32_t count);

  /// Returns pages that were taken.
  /// @throws contract_violation for a page outside the pool or more pages
  ///         than are missing. Whether it was taken is the ledger's check.
  void put_back(std::span<const page_id> pages);

  /// All pages, free or taken.
  std::uint32_t size() const noexcept { return size_; }

  /// Free pages, the next one to be taken last.
  std::span<const page_id> free_list() const noexcept { return free_; }

private:
  std::uint32_t size_;
  std::vector<page_id> free_;
};

} // namespace sluice
