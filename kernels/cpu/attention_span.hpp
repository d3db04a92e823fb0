// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cpu/simd.hpp"
#include "kernels/tensor.hpp"

// Attention works span by span: 512 absolute positions whose scores, softmax
// and weighted sum stand alone. Where the cache holds them, and the queries
// that read them.

namespace sluice::SLUICE_ISA {

inline constexpr int span_positions = 512;
inline constexpr int tile_positions = 64; // keys that are transposed at once
inline constexpr int run_positions = 8;   // neighbours on every page size
inline constexpr int most_head_dim = 256;
inline constexpr int most_queries = 128;

/// Positions [first, end).
struct position_range {
  std::int64_t first;
  std::int64_t end;
};

SLUICE_INLINE std::int64_t lower(std::int64_t a, std::int64_t b) {
  return a < b ? a : b;
}

SLUICE_INLINE std::int64_t higher(std::int64_t a, std::int64_t b) {
  return a > b ? a : b;
}

SLUICE_INLINE position_range both(const position_range& a,
                                  const position_range& b) {
  return {higher(a.first, b.first), lower(a.end, b.end)};
}

/// The smallest range that holds both; an empty one (first >= end) counts not.
SLUICE_INLINE position_range around(const position_range& a,
                                    const position_range& b) {
  if (a.first >= a.end) {
    return b;
  }
  return b.first >= b.end
             ? a
             : position_range{lower(a.first, b.first), higher(a.end, b.end)};
}

/// One kv head of one sequence: where the cache holds a position.
struct kv_rows {
  const kv_view& kv;
  const std::uint32_t* pages;
  std::int64_t kv_head;
  int page_shift; // log2(page_tokens)

  kv_rows(const kv_view& cache, const std::uint32_t* page_table,
          std::int64_t head)
      : kv{cache}, pages{page_table}, kv_head{head},
        page_shift{
            __builtin_ctz(static_cast<unsigned int>(cache.page_tokens))} {}

  /// Index of the position's row in K and V.
  SLUICE_INLINE std::int64_t of(std::int64_t position) const {
    const std::int64_t page = pages[position >> page_shift];
    return ((page * kv.kv_heads + kv_head) << page_shift) +
           (position & (kv.page_tokens - 1));
  }
};

/// Copies the scales of the positions of `range` to `to`, which stands for
/// position `start`, in whole runs.
SLUICE_INLINE void gather_scales(const kv_rows& rows, const float* scales,
                                 const position_range& range,
                                 std::int64_t start, float* to) {
  for (std::int64_t at = range.first / run_positions * run_positions;
       at < range.end; at += run_positions) {
    __builtin_memcpy(to + (at - start), scales + rows.of(at),
                     run_positions * sizeof(float));
  }
}

/// Asks for rows of K or V long before they are read, a line (64 bytes) at a
/// time, so that memory is busy all the time while the kernels compute.
class row_prefetcher {
public:
  /// @param row_bytes  of one position in `part`.
  row_prefetcher(const kv_rows& rows, std::int64_t row_bytes)
      : rows_{rows}, row_bytes_{row_bytes} {}

  /// What to ask for next; what is still left is dropped.
  /// @param lines  at each step.
  void start(const std::byte* part, const position_range& positions,
             int lines) {
    begin(part, positions);
    lines_ = lines;
    then_ = {0, 0};
  }

  /// What to ask for after that.
  void then(const std::byte* part, const position_range& positions) {
    then_part_ = part;
    then_ = positions;
  }

  SLUICE_INLINE void step() {
    for (int n = lines_; n > 0; --n) {
      if (line_ < stop_) {
        __builtin_prefetch(line_, 0, 3);
        line_ += 64;
      } else if (next_ < end_) {
        line_ = part_ + rows_.of(next_) * row_bytes_;
        stop_ = line_ + run_positions * row_bytes_;
        next_ += run_positions;
      } else if (then_.first < then_.end) {
        begin(then_part_, then_);
        then_ = {0, 0};
      }
    }
  }

  bool idle() const {
    return line_ >= stop_ && next_ >= end_ && then_.first >= then_.end;
  }

  void finish() {
    while (!idle()) {
      step();
    }
  }

private:
  void begin(const std::byte* part, const position_range& positions) {
    part_ = part;
    next_ = positions.first / run_positions * run_positions;
    end_ = positions.end;
    line_ = nullptr;
    stop_ = nullptr;
  }

  const kv_rows& rows_;
  std::int64_t row_bytes_;
  int lines_ = 1;
  const std::byte* part_ = nullptr;
  std::int64_t next_ = 0;
  std::int64_t end_ = 0;
  const std::byte* line_ = nullptr;
  const std::byte* stop_ = nullptr;
  const std::byte* then_part_ = nullptr;
  position_range then_{0, 0};
};

/// In the place of a row_prefetcher that is idle.
struct no_prefetcher {
  SLUICE_INLINE void step() {}
};

/// Queries of one sequence that read one kv head, and what they see of the
/// span at hand, counted from its start; first >= end: nothing.
struct span_queries {
  int count;
  float scale;
  const float* q[most_queries];
  position_range seen[most_queries];
};

/// Memory of one span. A query's scores become the weights of its positions.
struct span_scratch {
  static constexpr int stride = span_positions + 16; // off the cache's sets
  alignas(64) float scores[most_queries * stride];
  alignas(64) float keys[most_head_dim * tile_positions];
  alignas(64) float factors[tile_positions];      // a score is factor * (q . k)
  alignas(64) float value_scales[span_positions]; // of i8
};

} // namespace sluice::SLUICE_ISA
