// SPDX-License-Identifier: Apache-2.0
#include "memory/kv_pages.hpp"

#include "kernels/check.hpp"
#include "memory/page_table.hpp"

namespace sluice {

kv_pages::kv_pages(std::uint32_t pool_pages, std::uint32_t page_tokens)
    : ledger_{pool_pages}, page_tokens_{page_tokens} {
  require(page_tokens > 0, "kv_pages: a page holds at least one token");
}

std::optional<page_delta> kv_pages::grant(const page_need& need,
                                          std::uint64_t plan) {
  const auto needed = page_table::pages_for(need.tokens, page_tokens_);
  const auto held =
      static_cast<std::uint32_t>(ledger_.pages_of(need.sequence).size());
  page_delta delta{need.sequence, held, {}};
  if (needed > held) {
    auto pages = ledger_.claim(need.sequence, needed - held);
    if (!pages)
      return std::nullopt;
    delta.pages = std::move(*pages);
  }
  ledger_.mark_in_flight(need.sequence, plan);
  return delta;
}

void kv_pages::release(std::uint64_t sequence) {
  ledger_.release(sequence);
}

void kv_pages::plans_done(std::uint64_t plan) {
  ledger_.settle(plan);
}

std::vector<std::uint64_t> kv_pages::repair() {
  return ledger_.repair();
}

} // namespace sluice
