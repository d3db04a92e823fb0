// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "messages/request_id.hpp"
#include "tools/client/stream_assembler.hpp"

namespace sluice::client::test {

/// Makes the chunks of one stream as a daemon would.
class chunk_maker {
public:
  explicit chunk_maker(messages::request_id id = {1, 2},
                       std::uint64_t epoch = 7)
      : id_{id}, epoch_{epoch} {}

  chunk_frame delta(const std::string& text);
  chunk_frame finished();
  chunk_frame failed(messages::ErrorCode code, const std::string& text);

  /// `count` deltas "0 ", "1 ", … and a finished.
  std::vector<chunk_frame> whole(std::uint32_t count);

  /// Lies that a stream can tell at its end.
  void corrupt_checksum() { checksum_ ^= 1; }
  void corrupt_count() { ++extra_; }

private:
  chunk_frame make(messages::ChunkBodyUnion body);

  messages::request_id id_;
  std::uint64_t epoch_;
  std::uint32_t seq_ = 0;
  std::uint32_t checksum_ = 0;
  std::uint32_t extra_ = 0;
};

/// The text of a Delta.
std::string text_of(const chunk_frame& chunk);

} // namespace sluice::client::test
