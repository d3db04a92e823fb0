// SPDX-License-Identifier: Apache-2.0
#include "model/tokenizer/gguf_vocabulary.hpp"

#include "model/tokenizer/bpe_encoder.hpp"
#include "model/tokenizer/byte_level.hpp"
#include "model/tokenizer/piece_merges.hpp"
#include "model/tokenizer/refuse.hpp"
#include "model/tokenizer/symbol_tables.hpp"
#include "model/tokenizer/tokenizer.hpp"
#include "model/tokenizer/tokenizer_parts.hpp"

#include <array>
#include <string_view>
#include <utility>

namespace sluice {

namespace {

constexpr std::string_view space_mark = "\u2581"; // how pieces write a space

/// What tokenizer.ggml.pre selects.
struct pre_type {
  std::string_view name;
  pattern_scanner scanner;
  bool ignore_merges;
  bool add_bos; // unless the file says otherwise
};

constexpr std::array pre_types{pre_type{"default", scan_gpt2, false, false},
                               pre_type{"gpt-2", scan_gpt2, false, false},
                               pre_type{"llama-bpe", scan_llama3, true, true},
                               pre_type{"qwen2", scan_qwen2, false, false}};

const pre_type& find_pre_type(const std::string& name) {
  std::string known;
  for (const auto& type : pre_types) {
    if (type.name == (name.empty() ? "default" : name))
      return type;
    known.append(known.empty() ? "" : ", ").append(type.name);
  }
  refuse_tokenizer(model_fault::unsupported, "tokenizer.ggml.pre",
                   "'" + printable(name) +
                       "' is not supported; known: " + known,
                   convert_tokenizer);
}

token_kind read_kind(const gguf_vocabulary& source, std::size_t id) {
  constexpr std::array kinds{token_kind::normal,       token_kind::normal,
                             token_kind::unknown,      token_kind::control,
                             token_kind::user_defined, token_kind::unused,
                             token_kind::byte};
  const auto type = source.types.empty() ? 1 : source.types[id];
  if (type < 0 || type >= static_cast<std::int32_t>(kinds.size()))
    refuse_tokenizer(model_fault::malformed,
                     "tokenizer.ggml.token_type[" + std::to_string(id) + "]",
                     "is not one of the types 0 to 6");
  return kinds[static_cast<std::size_t>(type)];
}

void check_sizes(const gguf_vocabulary& source) {
  const auto count = source.tokens.size();
  const auto same = [count](std::size_t size) {
    return size == 0 || size == count;
  };
  if (count == 0 || count > vocabulary::max_tokens)
    refuse_tokenizer(model_fault::limit, "tokenizer.ggml.tokens",
                     "has no token, or more than 2^24");
  if (!same(source.types.size()) || !same(source.scores.size()))
    refuse_tokenizer(model_fault::malformed, "tokenizer.ggml.tokens",
                     "tokens, scores and token_type differ in length");
  for (const auto id : {source.bos, source.eos, source.eot, source.unk})
    if (id && *id >= count)
      refuse_tokenizer(model_fault::malformed, "tokenizer.ggml.*_token_id",
                       std::to_string(*id) + " is not in the vocabulary");
}

/// The bytes that a token adds to a text.
std::string token_text(const std::string& name, token_kind kind,
                       bool byte_level) {
  if (kind == token_kind::control || kind == token_kind::unknown)
    return name;
  if (byte_level)
    return kind == token_kind::user_defined
               ? name
               : byte_level_bytes(name).value_or(name);
  if (const auto byte = parse_byte_token(name);
      byte && kind == token_kind::byte)
    return std::string(1, static_cast<char>(*byte));
  normalizer spaces;
  spaces.add(replace_text{std::string(space_mark), " "});
  return spaces.apply(name);
}

/// The parts that both schemes share.
tokenizer_parts common_parts(const gguf_vocabulary& source, bool byte_level) {
  tokenizer_parts parts;
  for (std::uint32_t id = 0; id < source.tokens.size(); ++id) {
    const auto& name = source.tokens[id];
    const auto kind = read_kind(source, id);
    parts.words.add(name, {token_text(name, kind, byte_level), kind});
    const bool control =
        kind == token_kind::control || kind == token_kind::unknown;
    // SentencePiece looks for user-defined pieces after it has put its prefix.
    const bool defined = kind == token_kind::user_defined;
    if (control || (defined && byte_level))
      parts.raw_tokens.add({.content = name, .id = id, .special = control});
    else if (defined)
      parts.normalized_tokens.add({.content = name, .id = id});
  }
  parts.bos = source.bos;
  for (const auto end : {source.eos, source.eot})
    if (end && (parts.eos.empty() || parts.eos.front() != *end))
      parts.eos.push_back(*end);
  return parts;
}

void frame_text(const gguf_vocabulary& source, bool add_bos,
                tokenizer_parts& parts) {
  if (source.bos && source.add_bos.value_or(add_bos))
    parts.prefix = {*source.bos};
  if (source.eos && source.add_eos.value_or(false))
    parts.suffix = {*source.eos};
}

void read_merges(const gguf_vocabulary& source, const vocabulary& words,
                 merge_table& merges) {
  for (std::uint32_t rank = 0; rank < source.merges.size(); ++rank) {
    const std::string_view pair = source.merges[rank];
    const auto subject = "tokenizer.ggml.merges[" + std::to_string(rank) + "]";
    const auto space = pair.find(' ', 1);
    if (space == std::string_view::npos)
      refuse_tokenizer(model_fault::malformed, subject,
                       "expected \"left right\"");
    add_merge(pair.substr(0, space), pair.substr(space + 1), rank, words,
              subject, merges);
  }
}

std::unique_ptr<tokenizer> load_byte_level(const gguf_vocabulary& source) {
  const auto& pre = find_pre_type(source.pre);
  if (source.merges.size() > vocabulary::max_tokens)
    refuse_tokenizer(model_fault::limit, "tokenizer.ggml.merges",
                     "more than 2^24");
  auto parts = common_parts(source, true);
  bpe_model model;
  model.byte_level = true;
  model.byte_ids = byte_symbols(parts.words, true);
  model.unknown = source.unk;
  if (pre.ignore_merges)
    model.words = whole_words(parts.words, true);
  model.merges = merge_table(source.merges.size());
  read_merges(source, parts.words, model.merges);
  parts.encoder = std::make_unique<bpe_encoder>(
      std::move(model), make_scanner_split(pre.scanner));
  frame_text(source, pre.add_bos, parts);
  parts.description = "byte-level BPE, pre-tokenizer " + std::string(pre.name);
  return std::make_unique<tokenizer>(std::move(parts));
}

std::unique_ptr<tokenizer> load_pieces(const gguf_vocabulary& source) {
  if (source.scores.empty())
    refuse_tokenizer(model_fault::missing, "tokenizer.ggml.scores",
                     "the model 'llama' needs a score per token");
  auto parts = common_parts(source, false);
  bpe_model model;
  model.byte_ids = byte_symbols(parts.words, false);
  model.char_ids = char_symbols(parts.words);
  model.byte_fallback = true;
  model.unknown = source.unk;
  model.fuse_unknown = true;
  model.merges = piece_merges(parts.words, source.scores, model.char_ids);
  parts.encoder = std::make_unique<bpe_encoder>(std::move(model), nullptr);
  const bool prefix = source.add_space_prefix.value_or(true);
  if (prefix)
    parts.normalize.add(prepend_text{std::string(space_mark)});
  parts.normalize.add(replace_text{" ", std::string(space_mark)});
  parts.strip_leading_space = prefix;
  frame_text(source, true, parts);
  parts.description = "SentencePiece BPE";
  return std::make_unique<tokenizer>(std::move(parts));
}

} // namespace

std::int32_t ggml_token_type(token_kind kind) {
  switch (kind) {
  case token_kind::unknown:
    return 2;
  case token_kind::control:
    return 3;
  case token_kind::user_defined:
    return 4;
  case token_kind::unused:
    return 5;
  case token_kind::byte:
    return 6;
  case token_kind::normal:
    break;
  }
  return 1;
}

std::unique_ptr<tokenizer> load_tokenizer_gguf(const gguf_vocabulary& source) {
  check_sizes(source);
  if (source.model == "gpt2")
    return load_byte_level(source);
  if (source.model == "llama")
    return load_pieces(source);
  refuse_tokenizer(model_fault::unsupported, "tokenizer.ggml.model",
                   "'" + printable(source.model) +
                       "' is not supported; known: gpt2, llama",
                   convert_tokenizer);
}

} // namespace sluice
