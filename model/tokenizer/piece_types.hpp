// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace sluice {

/// The type of every piece of a SentencePiece model: 1 normal, 2 unknown, 3
/// control, 4 user-defined, 5 unused, 6 byte, as in GGUF's token_type. The
/// library does not tell user-defined pieces from normal ones.
/// @param model  bytes of a tokenizer.model: a protocol buffer whose repeated
///               field 1 has the type in its field 3.
/// @return [pieces]; shorter where the bytes are no protocol buffer.
/// @source sentencepiece_model.proto; the protocol buffers encoding.
std::vector<std::int32_t> piece_types(std::string_view model);

} // namespace sluice
