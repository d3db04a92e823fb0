// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "memory/page_table.hpp"
#include "messages/lane_generated.h"
#include "model/device_copy.hpp"
#include "model/lane_sampling.hpp"
#include "model/row_error.hpp"
#include "model/seen_tokens.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace sluice {

/// What a lane's sequences have in common.
struct sequence_limits {
  std::uint32_t page_tokens = 0; // positions per page
  std::uint32_t pool_pages = 0;  // pages of the KV store
  std::uint32_t vocab = 0;
  std::uint32_t context = 0; // positions of the longest sequence
};

/// What stands for a token that the device alone knows.
inline constexpr std::int32_t unknown_token = -1;

/// What a lane knows of one sequence: where its KV lies, which tokens it
/// holds, and how the next ones are chosen.
class lane_sequence {
public:
  /// A sequence whose first positions have their KV in the pages that it will
  /// get. Bad content is kept as fault().
  lane_sequence(const messages::SequenceState& state,
                const sequence_limits& limits);

  /// Why no row of this sequence can run, if something is wrong with it.
  const std::optional<row_error>& fault() const noexcept { return fault_; }

  /// Grows, or replaces the end of, the page table. A hole or a page outside
  /// the pool becomes the fault.
  void apply(const messages::PageDelta& delta);

  /// Positions 0 .. length() - 1 have their KV in the store.
  std::uint32_t length() const noexcept { return length_; }

  /// Adds positions whose KV the coming step writes.
  /// @param tokens  unknown_token for one that learn() tells later.
  void append(std::span<const std::int32_t> tokens);

  /// A token that was unknown when its position was added, which may be gone.
  void learn(std::uint32_t position, std::int32_t token);

  /// Forgets the positions from `length` on.
  void truncate(std::uint32_t length);

  /// Tokens before a position, counted for the penalties; empty if there are
  /// none to apply. Positions may be asked for in any order.
  /// @param position  at most length(), all tokens before it known.
  std::span<const token_count> counts_before(std::uint32_t position);

  std::uint64_t key() const noexcept { return key_; }
  const page_table& pages() const noexcept { return pages_; }
  const lane_sampling& sampling() const noexcept { return sampling_; }

  /// [length()] by position, with penalties only.
  std::span<const std::int32_t> tokens() const noexcept { return tokens_; }
  std::uint32_t prompt_tokens() const noexcept { return prompt_tokens_; }

  /// What the lane's device has of it.
  device_copy& on_device() noexcept { return on_device_; }
  const device_copy& on_device() const noexcept { return on_device_; }

private:
  void make_room(const sequence_limits& limits);
  void adopt(const messages::SequenceState& state);
  void set_pages(std::uint32_t first, std::span<const page_id> pages);

  std::uint64_t key_;
  std::uint32_t prompt_tokens_;
  std::uint32_t pool_pages_;
  page_table pages_;
  lane_sampling sampling_;
  std::uint32_t length_ = 0;
  // For penalties only:
  std::vector<std::int32_t> tokens_; // [length], by position
  seen_tokens seen_;                 // of positions 0 .. counted_ - 1
  std::uint32_t counted_ = 0;
  device_copy on_device_;
  std::optional<row_error> fault_;
};

} // namespace sluice
