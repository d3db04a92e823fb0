// SPDX-License-Identifier: Apache-2.0
#include "memory/page_table.hpp"

#include "kernels/check.hpp"

namespace sluice {

page_table::page_table(std::uint32_t page_tokens) : page_tokens_{page_tokens} {
  require(page_tokens > 0, "page_table: a page holds at least one token");
}

void page_table::reserve(std::uint64_t tokens) {
  pages_.reserve(pages_for(tokens, page_tokens_));
}

bool page_table::apply(std::uint32_t first, std::span<const page_id> pages) {
  if (first > pages_.size())
    return false;
  pages_.resize(first);
  pages_.insert(pages_.end(), pages.begin(), pages.end());
  return true;
}

std::int64_t page_table::slot(std::uint32_t position) const {
  require(position < capacity_tokens(),
          "page_table: the position has no page; ask for pages first");
  return std::int64_t{pages_[position / page_tokens_]} * page_tokens_ +
         position % page_tokens_;
}

std::uint32_t page_table::pages_for(std::uint64_t tokens,
                                    std::uint32_t page_tokens) {
  return static_cast<std::uint32_t>(tokens / page_tokens +
                                    (tokens % page_tokens != 0));
}

} // namespace sluice
