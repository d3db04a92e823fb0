// SPDX-License-Identifier: Apache-2.0
#include "actors/chunk_builder.hpp"

namespace sluice::actors {

using namespace messages;

frame<Chunk> chunk_builder::chunk_of(const policy::stream& stream,
                                     std::uint64_t epoch, const Delta& body) {
  if (body.logprobs() || body.rungs() || body.prompt()) {
    DeltaT whole;
    body.UnPackTo(&whole);
    return chunk_of<Delta>(stream, epoch, whole);
  }
  builder_.Clear();
  const auto tokens =
      body.tokens()
          ? builder_.CreateVector(body.tokens()->data(), body.tokens()->size())
          : 0;
  const auto text = body.text() ? builder_.CreateString(body.text()) : 0;
  const auto delta = CreateDelta(builder_, body.sequence(), tokens, text);
  return finish(stream, epoch, ChunkBody::Delta, delta.Union());
}

frame<Chunk> chunk_builder::finish(const policy::stream& stream,
                                   std::uint64_t epoch, ChunkBody type,
                                   flatbuffers::Offset<void> body) {
  const auto& tenant = stream.origin.tenant;
  const auto tenant_text = tenant.empty() ? 0 : builder_.CreateString(tenant);
  const auto id = stream.origin.id.to_wire();
  ChunkBuilder chunk{builder_};
  chunk.add_id(&id);
  chunk.add_tenant(tenant_text);
  chunk.add_epoch(epoch);
  chunk.add_seq(stream.window.next_seq());
  chunk.add_body_type(type);
  chunk.add_body(body);
  builder_.Finish(chunk.Finish(), message_traits<Chunk>::identifier);
  const auto* first =
      reinterpret_cast<const std::byte*>(builder_.GetBufferPointer());
  return frame<Chunk>::copy_verified({first, builder_.GetSize()});
}

} // namespace sluice::actors
