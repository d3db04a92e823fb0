// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cpu/attention_span.hpp"

// Memory works ahead of attention by one tile of K and V.

namespace sluice::SLUICE_ISA {

/// Asks for tiles of K and V of neighbouring kv heads before they are read, in
/// a few streams that follow the order in which they lie in memory: one kv head
/// after the other would leave gaps after a few lines each, and the hardware's
/// own prefetching ends at every gap and every 4 KB.
class row_prefetcher {
public:
  static constexpr int lines = 8; // of 64 bytes, of one run at a time

  /// @param rows       of the first kv head.
  /// @param row_bytes  of one position and head in K or V.
  /// @param all        positions that will be read, tile by tile.
  row_prefetcher(const kv_rows& rows, std::int64_t heads,
                 std::int64_t row_bytes, const position_range& all)
      : rows_{rows}, row_bytes_{row_bytes}, end_{all.end} {
    const std::int64_t page_tokens = rows.kv.page_tokens;
    const bool large = page_tokens > tile_positions;
    run_positions_ = lower(page_tokens, tile_positions);
    run_heads_ = large ? 1 : heads;
    heads_ = heads / run_heads_;
    run_bytes_ = run_positions_ * run_heads_ * row_bytes;
    tile_ = all.first / tile_positions * tile_positions - tile_positions;
    next_round();
  }

  /// The tile at `tile` is about to be read: asks for what is left of it. Then
  /// goes on up to the end of the next one.
  void reach(std::int64_t tile) {
    limit_ = tile + 2 * tile_positions;
    if (step_mask_ == 0) {
      next_round();
    }
    while (tile_ <= tile && step_mask_ != 0) {
      const std::byte* found = next(lines);
      for (int line = 0; line < lines; ++line) {
        ask(found, line);
      }
    }
  }

  /// The next `count` lines, 4 or 8, for the caller to pass to ask() among its
  /// own work; lines that are there already if nothing is left.
  SLUICE_INLINE const std::byte* next(int count) {
    if (line_ >= stop_) {
      if (run_ == group_end_) {
        next_round();
      } else {
        begin_part();
      }
    }
    const std::byte* found = line_;
    line_ += 64 * count & step_mask_;
    return found;
  }

  SLUICE_INLINE static void ask(const std::byte* found, int line) {
    __builtin_prefetch(found + 64 * line, 0, 2);
  }

  /// Nothing is left to ask for before the next reach().
  bool idle() const { return step_mask_ == 0; }

private:
  static constexpr int streams = 4;
  static constexpr int most_runs = 2 * most_queries;

  SLUICE_INLINE void begin_part() {
    line_ = runs_[run_++] + offset_;
    stop_ = line_ + 64 * lines;
  }

  // The same runs further on, or the next ones, or those of the next tile.
  [[gnu::noinline]] void next_round() {
    offset_ += 64 * lines;
    if (offset_ >= run_bytes_) {
      offset_ = 0;
      group_ = group_end_;
    }
    if (group_ == count_ && !next_tile()) {
      return;
    }
    group_end_ = static_cast<int>(lower(group_ + streams, count_));
    run_ = group_;
    begin_part();
  }

  bool next_tile() {
    if (tile_ + tile_positions >= lower(limit_, end_)) {
      line_ = reinterpret_cast<const std::byte*>(this);
      stop_ = line_ + 1;
      step_mask_ = 0;
      return false;
    }
    tile_ += tile_positions;
    step_mask_ = ~std::int64_t{0};
    count_ = 0;
    group_ = 0;
    offset_ = 0;
    const std::int64_t end = lower(tile_ + tile_positions, end_);
    for (std::int64_t at = tile_; at < end; at += run_positions_) {
      for (std::int64_t head = 0; head < heads_; ++head) {
        const std::int64_t row =
            (rows_.of(at) + head * rows_.kv.page_tokens) * row_bytes_;
        runs_[count_++] = rows_.kv.k + row;
        runs_[count_++] = rows_.kv.v + row;
      }
    }
    return true;
  }

  const kv_rows& rows_;
  std::int64_t row_bytes_;
  std::int64_t end_;
  std::int64_t limit_ = 0;
  std::int64_t tile_; // that is asked for
  // Runs of neighbouring bytes in K or V: whole pages or parts of large ones.
  std::int64_t run_positions_;
  std::int64_t run_heads_;
  std::int64_t heads_;
  std::int64_t run_bytes_;
  const std::byte* runs_[most_runs];
  int count_ = 0; // of runs
  int group_ = 0; // the runs that are read side by side
  int group_end_ = 0;
  int run_ = 0;
  std::int64_t offset_ = 0;
  const std::byte* line_ = nullptr;
  const std::byte* stop_ = nullptr;
  std::int64_t step_mask_ = 0;
};

/// In the place of a row_prefetcher that is idle.
struct no_prefetcher {
  static constexpr int lines = row_prefetcher::lines;

  SLUICE_INLINE static const std::byte* next(int) { return nullptr; }
  SLUICE_INLINE static void ask(const std::byte*, int) {}
};

} // namespace sluice::SLUICE_ISA
