// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "messages/frame.hpp"

namespace sluice::client {

using chunk_frame = messages::frame<messages::Chunk>;

/// Puts the chunks of one stream in order, whatever the network made of them:
/// repeats are dropped, early ones wait, the last one's count and checksum are
/// compared with what came. Knows no sockets and no time.
class stream_assembler {
public:
  /// What became of a chunk.
  enum class verdict {
    taken,
    repeated, // its seq was there before, or the stream has ended
    foreign,  // of another epoch: the daemon was restarted in between
    too_early // more would wait than may; a replay brings it again
  };

  /// @param max_waiting  chunks that may wait for an earlier one.
  explicit stream_assembler(std::size_t max_waiting)
      : max_waiting_{max_waiting} {}
  stream_assembler() = default;

  verdict take(chunk_frame chunk);

  /// The next chunk in order, each exactly once; nothing if it is not here.
  std::optional<chunk_frame> next();

  /// Chunks wait for an earlier one.
  bool has_hole() const;

  /// The first seq that has not come out of next().
  std::uint32_t next_seq() const noexcept { return next_seq_; }

  /// The last chunk has come out of next().
  bool ended() const noexcept { return ended_; }

  /// What is wrong with an ended stream: its count or checksum.
  const std::optional<std::string>& problem() const noexcept {
    return problem_;
  }

private:
  void close(std::uint32_t chunks, std::uint32_t checksum);

  std::size_t max_waiting_ = 4096;
  std::map<std::uint32_t, chunk_frame> waiting_; // by seq
  std::optional<std::uint64_t> epoch_;           // of the first chunk
  std::uint32_t next_seq_ = 0;
  std::uint32_t checksum_ = 0; // CRC-32 over the frames that came out
  bool ended_ = false;
  std::optional<std::string> problem_;
};

} // namespace sluice::client
