// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/lane_sequence.hpp"
#include "model/transformer.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace sluice {

/// What a batch must not exceed.
struct batch_limits {
  std::uint32_t step_tokens = 0; // positions of one step
  std::uint32_t context = 0;     // positions of one sequence
  std::uint32_t vocab = 0;
  std::uint32_t pool_pages = 0; // of the KV store
};

/// A row of a plan in the form in which it runs.
struct batch_row {
  lane_sequence* sequence = nullptr;
  std::uint32_t plan_row = 0;     // its index in the plan
  std::uint32_t start = 0;        // position of its first token
  std::uint32_t count = 0;        // its positions
  std::uint32_t first_wanted = 0; // among the step's wanted positions
  std::uint32_t score_from = 0;   // offset of its first scored position
  std::span<const std::int32_t> next_tokens; // [scored positions], the plan's
  std::uint32_t samples = 0; // its last positions, this many, are sampled

  /// Its positions whose logits are wanted: first the scored, then the sampled.
  std::uint32_t scores() const {
    return static_cast<std::uint32_t>(next_tokens.size());
  }
  std::uint32_t end_wanted() const { return first_wanted + scores() + samples; }
  std::uint32_t last_sampled() const { return end_wanted() - 1; } // if samples

  /// @param wanted  index among the step's wanted positions, one of this row's.
  bool is_scored(std::uint32_t wanted) const {
    return wanted - first_wanted < scores();
  }

  /// @return the position of the token that goes in.
  std::uint32_t position_of(std::uint32_t wanted) const {
    const auto index = wanted - first_wanted;
    return index < scores() ? start + score_from + index
                            : start + count - samples + (index - scores());
  }
};

/// One row before it is checked.
struct row_request {
  std::uint32_t plan_row = 0;
  std::uint32_t start = 0;
  std::span<const std::int32_t> tokens;
  std::uint32_t sample_from = 0; // offset of the first sampled position
  std::uint32_t score_from = 0;  // offset of the first scored position
  std::span<const std::int32_t> next_tokens; // after each scored position
  // Of a row whose one token the step before is still choosing: there.
  std::optional<std::uint32_t> taken_from = {};
};

/// Why a row cannot start at a position.
std::string gap_text(std::uint64_t sequence, std::uint32_t start,
                     std::uint32_t length);

/// Collects the rows of one step, checks each against the sequence's state,
/// and lays their positions one after the other.
class lane_batch {
public:
  explicit lane_batch(const batch_limits& limits);

  void clear();

  /// Adds a row and advances its sequence; a start below the sequence's length
  /// rolls it back first.
  /// @param sequence  must stay where it is until clear(), as must the row's
  ///                  next_tokens.
  /// @throws row_error that names the broken rule; nothing changed then.
  void add(lane_sequence& sequence, const row_request& row);

  /// Takes every row's positions from its sequence again: the step failed.
  void take_back();

  /// The same of the row that is this one of the plan.
  void take_back(std::uint32_t plan_row);

  /// @return the row that is this one of the plan; null if there is none.
  const batch_row* find(std::uint32_t plan_row) const;

  std::span<const batch_row> rows() const noexcept { return rows_; }
  std::size_t wanted() const noexcept { return wanted_.size(); }

  /// The input of the forward pass; valid until the next add() or clear().
  step_positions positions() const;

private:
  void check_row(const lane_sequence& sequence, const row_request& row) const;
  void check_tokens(const lane_sequence& sequence,
                    std::span<const std::int32_t> tokens) const;
  void check_scores(const lane_sequence& sequence,
                    const row_request& row) const;
  void check_start(const lane_sequence& sequence, const row_request& row) const;
  void check_pages(const lane_sequence& sequence, const row_request& row) const;
  void claim_pages(const lane_sequence& sequence, const row_request& row);

  // Two entries that share a page which a step writes would corrupt each other.
  struct page_writer {
    std::uint64_t step = 0;
    std::uint64_t sequence = 0;
    std::uint64_t entry = 0; // in its page table
    bool operator==(const page_writer&) const = default;
  };

  batch_limits limits_;
  std::vector<batch_row> rows_;
  std::vector<page_list> tables_;         // [rows]
  std::vector<std::int32_t> tokens_;      // [positions]
  std::vector<std::int32_t> positions_;   // [positions]
  std::vector<std::int64_t> slots_;       // [positions]
  std::vector<std::int32_t> sequence_of_; // [positions], index of tables_
  std::vector<std::int32_t> wanted_;      // ascending
  std::vector<taken_token> taken_;        // ascending
  std::vector<page_writer> writers_;      // [pool_pages]
  std::uint64_t step_ = 1;
};

} // namespace sluice
