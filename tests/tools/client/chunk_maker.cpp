// SPDX-License-Identifier: Apache-2.0
#include "tests/tools/client/chunk_maker.hpp"

#include <zlib.h>

namespace sluice::client::test {

chunk_frame chunk_maker::delta(const std::string& text) {
  messages::DeltaT body;
  body.text = text;
  body.tokens = {seq_};
  messages::ChunkBodyUnion any;
  any.Set(std::move(body));
  return make(std::move(any));
}

chunk_frame chunk_maker::finished() {
  messages::FinishedT body;
  body.reason = messages::FinishReason::stop_token;
  body.receipt = std::make_unique<messages::ReceiptT>();
  body.receipt->generated_tokens = seq_;
  body.chunks = seq_ + 1 + extra_;
  body.checksum = checksum_;
  messages::ChunkBodyUnion any;
  any.Set(std::move(body));
  return make(std::move(any));
}

chunk_frame chunk_maker::failed(messages::ErrorCode code,
                                const std::string& text) {
  messages::FailedT body;
  body.code = code;
  body.text = text;
  body.chunks = seq_ + 1 + extra_;
  body.checksum = checksum_;
  messages::ChunkBodyUnion any;
  any.Set(std::move(body));
  return make(std::move(any));
}

std::vector<chunk_frame> chunk_maker::whole(std::uint32_t count) {
  std::vector<chunk_frame> chunks;
  for (std::uint32_t i = 0; i < count; ++i)
    chunks.push_back(delta(std::to_string(i) + " "));
  chunks.push_back(finished());
  return chunks;
}

chunk_frame chunk_maker::make(messages::ChunkBodyUnion body) {
  messages::ChunkT chunk;
  chunk.id = std::make_unique<messages::RequestId>(id_.to_wire());
  chunk.epoch = epoch_;
  chunk.seq = seq_++;
  chunk.body = std::move(body);
  auto frame = messages::pack<messages::Chunk>(chunk);
  const auto bytes = frame.bytes();
  checksum_ = static_cast<std::uint32_t>(
      crc32(checksum_, reinterpret_cast<const Bytef*>(bytes.data()),
            static_cast<uInt>(bytes.size())));
  return frame;
}

std::string text_of(const chunk_frame& chunk) {
  const auto* delta = chunk->body_as_Delta();
  return delta ? delta->text()->str() : "";
}

} // namespace sluice::client::test
