// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>

#include "messages/frame.hpp"

namespace sluice::policy {

struct window_limits {
  std::uint32_t chunks = 4096;
  std::size_t bytes = 1u << 20;
};

/// The latest chunks of one stream, as they were sent, and the checksum over
/// all that ever were. Bounded by chunks and bytes; the oldest go first, the
/// latest always stays.
class replay_window {
public:
  using chunk = messages::frame<messages::Chunk>;

  /// What a chunk costs beside its bytes (allocation, counts), in bytes.
  static constexpr std::size_t overhead_bytes = 96;

  explicit replay_window(window_limits limits) : limits_{limits} {}

  /// Takes the next chunk.
  /// @throws contract_violation unless its seq is next_seq().
  void append(chunk next);

  /// Gives the oldest chunk up; the latest is kept.
  /// @return the bytes that came free, zero if only the latest is left.
  std::size_t drop_oldest();

  /// The seq of the next chunk, and how many there have been.
  std::uint32_t next_seq() const noexcept { return next_seq_; }

  /// The seq of the oldest chunk that is held; next_seq() if none is.
  std::uint32_t first_held() const noexcept {
    return next_seq_ - static_cast<std::uint32_t>(held_.size());
  }

  /// The chunks from first_held() on, in order.
  const std::deque<chunk>& held() const noexcept { return held_; }

  /// CRC-32 over the bytes of all chunks so far, held or not, in order.
  std::uint32_t checksum() const noexcept { return checksum_; }

  /// Of what is held, overhead included.
  std::size_t bytes() const noexcept { return bytes_; }

private:
  window_limits limits_;
  std::deque<chunk> held_;
  std::size_t bytes_ = 0;
  std::uint32_t next_seq_ = 0;
  std::uint32_t checksum_ = 0;
};

} // namespace sluice::policy
