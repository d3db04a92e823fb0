// SPDX-License-Identifier: Apache-2.0
#include "tools/client/stream_assembler.hpp"

#include <utility>

#include <zlib.h>

namespace sluice::client {

auto stream_assembler::take(chunk_frame chunk) -> verdict {
  if (ended_)
    return verdict::repeated;
  if (epoch_ && *epoch_ != chunk->epoch())
    return verdict::foreign;
  const auto seq = chunk->seq();
  if (seq < next_seq_ || waiting_.contains(seq))
    return verdict::repeated;
  if (seq != next_seq_ && waiting_.size() >= max_waiting_)
    return verdict::too_early;
  epoch_ = chunk->epoch();
  waiting_.emplace(seq, std::move(chunk));
  return verdict::taken;
}

std::optional<chunk_frame> stream_assembler::next() {
  const auto first = waiting_.begin();
  if (first == waiting_.end() || first->first != next_seq_)
    return std::nullopt;
  auto chunk = std::move(first->second);
  waiting_.erase(first);
  ++next_seq_;
  if (const auto* finished = chunk->body_as_Finished())
    close(finished->chunks(), finished->checksum());
  else if (const auto* failed = chunk->body_as_Failed())
    close(failed->chunks(), failed->checksum());
  const auto bytes = chunk.bytes();
  checksum_ = static_cast<std::uint32_t>(crc32_z(
      checksum_, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
  return chunk;
}

bool stream_assembler::has_hole() const {
  return !waiting_.empty() && waiting_.begin()->first != next_seq_;
}

void stream_assembler::close(std::uint32_t chunks, std::uint32_t checksum) {
  ended_ = true;
  waiting_.clear();
  if (chunks != next_seq_)
    problem_ = "the stream ended after " + std::to_string(next_seq_) +
               " chunks but was sent with " + std::to_string(chunks);
  else if (checksum != checksum_)
    problem_ = "the stream's checksum does not match its chunks";
}

} // namespace sluice::client
