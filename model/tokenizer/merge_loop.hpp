// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/tokenizer/merge_queue.hpp"
#include "model/tokenizer/merge_table.hpp"

#include <cstdint>
#include <vector>

namespace sluice {

/// Byte-pair merging: replaces neighbouring symbols by their merge, the pair
/// of lowest rank first and of equal ranks the leftmost, until no pair merges.
///
/// One object per encoding thread: it keeps its working memory between pieces.
class merge_loop {
public:
  /// @param symbols  [n] initial symbols; on return the merged ones.
  /// @param table    the pairs that merge.
  /// @note  O(n log n), linear for a run of equal characters; about 16 bytes of
  ///        working memory per symbol. No recursion.
  void run(std::vector<std::uint32_t>& symbols, const merge_table& table);

private:
  struct node {
    std::uint32_t symbol; // dead: merged into its left neighbour
    std::uint32_t previous;
    std::uint32_t next;
  };

  void run_short(std::vector<std::uint32_t>& symbols, const merge_table& table);
  void run_long(std::vector<std::uint32_t>& symbols, const merge_table& table);
  void fill(const std::vector<std::uint32_t>& symbols,
            const merge_table& table);
  void apply(merge_queue::candidate best, const merge_table& table);
  void push(std::uint32_t position, const merge_table& table);

  std::vector<node> nodes_;
  merge_queue queue_;
  std::vector<merge> pairs_; // of run_short: what each symbol would become
};

} // namespace sluice
