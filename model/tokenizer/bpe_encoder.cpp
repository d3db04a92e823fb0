// SPDX-License-Identifier: Apache-2.0
#include "model/tokenizer/bpe_encoder.hpp"

#include "model/tokenizer/unicode.hpp"

#include <utility>

namespace sluice {

namespace {

/// The text of a symbol that is no token.
std::string symbol_text(std::uint32_t symbol) {
  const auto value = symbol & ~bpe_model::not_a_token;
  std::string text;
  if (value & bpe_model::raw_byte)
    text.push_back(static_cast<char>(value & 0xFF));
  else
    append_utf8(value, text);
  return text;
}

std::uint32_t unknown_symbol(char32_t value, char byte) {
  if (value != invalid_byte)
    return bpe_model::not_a_token | static_cast<std::uint32_t>(value);
  return bpe_model::not_a_token | bpe_model::raw_byte |
         static_cast<unsigned char>(byte);
}

} // namespace

bpe_encoder::bpe_encoder(bpe_model model, pre_tokenizer_ptr pieces)
    : model_(std::move(model)), pieces_(std::move(pieces)) {}

void bpe_encoder::encode(std::string_view text, bool at_start,
                         std::vector<std::uint32_t>& out) const {
  workspace work;
  if (!pieces_)
    return encode_piece(text, work, out);
  pieces_->split({text, at_start}, [&](text_piece piece) {
    encode_piece(piece.text, work, out);
  });
}

void bpe_encoder::encode_piece(std::string_view piece, workspace& work,
                               std::vector<std::uint32_t>& out) const {
  if (!model_.words.empty()) {
    const auto whole = model_.words.find(piece);
    if (whole != model_.words.end())
      return out.push_back(whole->second);
  }
  initial_symbols(piece, work.symbols);
  work.merges.run(work.symbols, model_.merges);
  append_ids(work.symbols, out);
}

void bpe_encoder::initial_symbols(std::string_view piece,
                                  std::vector<std::uint32_t>& symbols) const {
  symbols.clear();
  for (std::size_t at = 0; at < piece.size();) {
    if (model_.byte_level) {
      const auto byte = static_cast<unsigned char>(piece[at++]);
      const auto id = model_.byte_ids[byte];
      symbols.push_back(id == bpe_model::no_id
                            ? unknown_symbol(invalid_byte, piece[at - 1])
                            : id);
      continue;
    }
    const auto [value, length] = decode_utf8(piece, at);
    const auto found = model_.char_ids.find(value);
    symbols.push_back(found == model_.char_ids.end()
                          ? unknown_symbol(value, piece[at])
                          : found->second);
    at += length;
  }
}

void bpe_encoder::append_ids(const std::vector<std::uint32_t>& symbols,
                             std::vector<std::uint32_t>& out) const {
  bool after_unknown = false;
  for (const auto symbol : symbols) {
    const bool token = !(symbol & bpe_model::not_a_token);
    if (token)
      out.push_back(symbol);
    if (token || append_bytes(symbol, out)) {
      after_unknown = false;
      continue;
    }
    if (model_.unknown && !(after_unknown && model_.fuse_unknown))
      out.push_back(*model_.unknown);
    after_unknown = true;
  }
}

bool bpe_encoder::append_bytes(std::uint32_t symbol,
                               std::vector<std::uint32_t>& out) const {
  if (!model_.byte_fallback || model_.byte_level)
    return false;
  const auto text = symbol_text(symbol);
  for (char c : text)
    if (model_.byte_ids[static_cast<unsigned char>(c)] == bpe_model::no_id)
      return false;
  for (char c : text)
    out.push_back(model_.byte_ids[static_cast<unsigned char>(c)]);
  return true;
}

} // namespace sluice
