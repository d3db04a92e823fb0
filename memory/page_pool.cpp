// SPDX-License-Identifier: Apache-2.0
#include "memory/page_pool.hpp"

#include "kernels/check.hpp"

#include <algorithm>
#include <numeric>

namespace sluice {

page_pool::page_pool(std::uint32_t pages) : size_{pages}, free_(pages) {
  std::iota(free_.rbegin(), free_.rend(), page_id{0});
}

std::optional<std::vector<page_id>> page_pool::take(std::uint32_t count) {
  if (count > free_.size())
    return std::nullopt;
  const auto first = free_.end() - count;
  std::vector<page_id> taken(std::make_reverse_iterator(free_.end()),
                             std::make_reverse_iterator(first));
  free_.erase(first, free_.end());
  return taken;
}

void page_pool::put_back(std::span<const page_id> pages) {
  require(pages.size() <= size_ - free_.size(),
          "page_pool: more pages come back than were taken; return each once");
  for (const auto page : pages)
    require(page < size_, "page_pool: a page outside the pool; return only "
                          "pages that take() gave");
  free_.insert(free_.end(), pages.rbegin(), pages.rend());
}

} // namespace sluice
