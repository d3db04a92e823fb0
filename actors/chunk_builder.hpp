// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <utility>

#include "actors/policy/stream_table.hpp"
#include "messages/frame.hpp"

namespace sluice::actors {

/// Builds the chunks of streams in one buffer, and copies each out of it: a
/// chunk stays in its stream's window for long.
class chunk_builder {
public:
  /// The stream's next chunk, with a body in FlatBuffers' object form.
  template <class Table>
  messages::frame<messages::Chunk>
  chunk_of(const policy::stream& stream, std::uint64_t epoch,
           const typename Table::NativeTableType& body) {
    builder_.Clear();
    const auto packed = Table::Pack(builder_, &body);
    return finish(stream, epoch, messages::ChunkBodyTraits<Table>::enum_value,
                  packed.Union());
  }

  /// The same with tokens as they came from the batcher.
  messages::frame<messages::Chunk> chunk_of(const policy::stream& stream,
                                            std::uint64_t epoch,
                                            const messages::Delta& body);

private:
  messages::frame<messages::Chunk> finish(const policy::stream& stream,
                                          std::uint64_t epoch,
                                          messages::ChunkBody type,
                                          flatbuffers::Offset<void> body);

  flatbuffers::FlatBufferBuilder builder_{1024};
};

} // namespace sluice::actors
