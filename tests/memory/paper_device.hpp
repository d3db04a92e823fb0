// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "memory/kv_moves.hpp"

#include <deque>
#include <map>
#include <string>
#include <vector>

namespace sluice::test {

/// The KV of a position: what comes before it, and its token.
inline std::uint64_t kv_of(std::uint64_t before, std::uint32_t token) {
  auto mixed = (before ^ token) * 0x9E3779B97F4A7C15;
  mixed ^= mixed >> 29;
  return mixed * 0xBF58476D1CE4E5B9 + 1;
}

/// Positions that a plan computes for one sequence.
struct paper_row {
  std::uint64_t sequence = 0;
  std::uint64_t life = 0; ///< keys come again, lives do not
  std::uint32_t from = 0;
  std::uint32_t to = 0;
  std::vector<page_id> table;
  std::vector<std::uint64_t> kv; ///< right values of positions 0 .. to - 1
};

struct paper_plan {
  std::uint64_t number = 0;
  std::vector<page_swap> swaps;
  std::vector<page_copy> copies;
  std::vector<paper_row> rows;
};

/// An executor and its KV store on paper: a number per position. It carries
/// plans out in order and sees whether a sequence reads what it should.
class paper_device {
public:
  paper_device(std::uint32_t pages, std::uint32_t page_tokens,
               std::uint32_t slots)
      : pages_(pages, cells(page_tokens)),
        slots_(slots, cells(page_tokens)), page_tokens_{page_tokens} {}

  /// @param is_alive  (life) whether what its rows compute still matters;
  ///                  others write nonsense.
  /// @return what was wrong, or nothing.
  template <class Alive>
  std::string run(const paper_plan& plan, Alive&& is_alive) {
    move(plan);
    std::map<page_id, std::uint64_t> writers;
    for (const auto& row : plan.rows) {
      const bool alive = is_alive(row.life);
      if (alive && !reads_right(row))
        return "sequence " + std::to_string(row.sequence) +
               " reads what it did not write";
      for (auto at = row.from; at < row.to; ++at) {
        const auto page = row.table.at(at / page_tokens_);
        if (writers.try_emplace(page, row.life).first->second != row.life)
          return "page " + std::to_string(page) + " has two writers";
        pages_[page][at % page_tokens_] = alive ? row.kv[at] : ~row.kv[at];
      }
    }
    return {};
  }

private:
  using cells = std::vector<std::uint64_t>;

  void move(const paper_plan& plan) {
    for (const auto& swap : plan.swaps)
      if (swap.direction == swap_direction::out)
        slots_.at(swap.slot) = pages_.at(swap.page);
    for (const auto& swap : plan.swaps)
      if (swap.direction == swap_direction::in)
        pages_.at(swap.page) = slots_.at(swap.slot);
    for (const auto& copy : plan.copies)
      pages_.at(copy.to) = pages_.at(copy.from);
  }

  bool reads_right(const paper_row& row) const {
    for (std::uint32_t at = 0; at < row.from; ++at)
      if (pages_[row.table.at(at / page_tokens_)][at % page_tokens_] !=
          row.kv[at])
        return false;
    return true;
  }

  std::vector<cells> pages_;
  std::vector<cells> slots_;
  std::uint32_t page_tokens_;
};

} // namespace sluice::test
