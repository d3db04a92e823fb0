// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/tokenizer/merge_loop.hpp"
#include "model/tokenizer/merge_table.hpp"
#include "model/tokenizer/pre_tokenizer.hpp"
#include "model/tokenizer/segment_encoder.hpp"
#include "model/tokenizer/vocabulary.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace sluice {

/// What merging works with. A symbol is a token id, or `not_a_token` with the
/// code point (or with `raw_byte` and the byte) that has no token.
struct bpe_model {
  static constexpr std::uint32_t not_a_token = 0x80000000;
  static constexpr std::uint32_t raw_byte = 0x40000000;
  static constexpr std::uint32_t no_id = 0xFFFFFFFF;

  bool byte_level = false; // initial symbols are bytes, not characters
  std::array<std::uint32_t, 256> byte_ids{}; // byte_level: id of each byte;
                                             // else of "<0xNN>"; or no_id
  std::unordered_map<char32_t, std::uint32_t> char_ids; // not byte_level
  bool byte_fallback = false;           // write an unknown character as bytes
  std::optional<std::uint32_t> unknown; // for what is left; absent: nothing
  bool fuse_unknown = false;            // one `unknown` for a run of them
  text_ids words; // pieces that are tokens at once (ignore_merges)
  merge_table merges;
};

/// Byte-pair encoding of pieces: GPT-2's on bytes and SentencePiece's on
/// characters differ in the initial symbols and in the table alone.
class bpe_encoder final : public segment_encoder {
public:
  /// @param pieces  cuts segments into pieces; may be null.
  bpe_encoder(bpe_model model, pre_tokenizer_ptr pieces);

  void encode(std::string_view text, bool at_start,
              std::vector<std::uint32_t>& out) const override;

private:
  struct workspace {
    merge_loop merges;
    std::vector<std::uint32_t> symbols;
  };

  void encode_piece(std::string_view piece, workspace& work,
                    std::vector<std::uint32_t>& out) const;
  void initial_symbols(std::string_view piece,
                       std::vector<std::uint32_t>& symbols) const;
  void append_ids(const std::vector<std::uint32_t>& symbols,
                  std::vector<std::uint32_t>& out) const;
  bool append_bytes(std::uint32_t symbol,
                    std::vector<std::uint32_t>& out) const;

  bpe_model model_;
  pre_tokenizer_ptr pieces_;
};

} // namespace sluice
