// SPDX-License-Identifier: Apache-2.0
#include "model/tokenizer/export_vocabulary.hpp"
#include "model/tokenizer/load.hpp"
#include "model/tokenizer/piece_types.hpp"
#include "model/tokenizer/refuse.hpp"
#include "model/tokenizer/tokenizer_parts.hpp"

#include <sentencepiece_processor.h>

#include <cstddef>
#include <utility>

namespace sluice {

namespace {

using sentencepiece::SentencePieceProcessor;

constexpr std::size_t max_file_bytes = 256u << 20;
constexpr std::string_view space_mark = "\u2581";

/// The library's own encoder: merging, unigram and its normaliser.
class library_encoder final : public segment_encoder {
public:
  explicit library_encoder(std::unique_ptr<SentencePieceProcessor> processor)
      : processor_(std::move(processor)) {}

  void encode(std::string_view text, bool,
              std::vector<std::uint32_t>& out) const override {
    std::vector<int> ids;
    const auto status = processor_->Encode({text.data(), text.size()}, &ids);
    if (!status.ok())
      refuse_tokenizer(model_fault::malformed, "text",
                       "SentencePiece: " + printable(status.message()),
                       "send text without the characters at fault");
    out.insert(out.end(), ids.begin(), ids.end());
  }

private:
  std::unique_ptr<SentencePieceProcessor> processor_;
};

token_kind kind_of(const SentencePieceProcessor& processor, int id) {
  if (processor.IsControl(id))
    return token_kind::control;
  if (processor.IsUnknown(id))
    return token_kind::unknown;
  if (processor.IsByte(id))
    return token_kind::byte;
  return processor.IsUnused(id) ? token_kind::unused : token_kind::normal;
}

std::string token_text(const std::string& name, token_kind kind) {
  if (kind == token_kind::control || kind == token_kind::unknown)
    return name;
  if (const auto byte = parse_byte_token(name);
      byte && kind == token_kind::byte)
    return std::string(1, static_cast<char>(*byte));
  normalizer spaces;
  spaces.add(replace_text{std::string(space_mark), " "});
  return spaces.apply(name);
}

void add_pieces(const SentencePieceProcessor& processor,
                tokenizer_parts& parts) {
  for (int id = 0; id < processor.GetPieceSize(); ++id) {
    const auto& name = processor.IdToPiece(id);
    const auto kind = kind_of(processor, id);
    parts.words.add(name, {token_text(name, kind), kind});
    if (kind == token_kind::control)
      parts.raw_tokens.add({.content = name,
                            .id = static_cast<std::uint32_t>(id),
                            .special = true});
  }
}

/// Whether the model puts a space in front of every text.
bool adds_space(const SentencePieceProcessor& processor) {
  std::vector<std::string> pieces;
  return processor.Encode("a", &pieces).ok() && !pieces.empty() &&
         pieces.front().starts_with(space_mark);
}

std::unique_ptr<SentencePieceProcessor> read_model(std::string_view bytes) {
  if (bytes.size() > max_file_bytes)
    refuse_tokenizer(model_fault::limit, "tokenizer.model",
                     "larger than 256 MiB");
  auto processor = std::make_unique<SentencePieceProcessor>();
  const auto status =
      processor->LoadFromSerializedProto({bytes.data(), bytes.size()});
  if (!status.ok())
    refuse_tokenizer(model_fault::malformed, "tokenizer.model",
                     "SentencePiece: " + printable(status.message()));
  return processor;
}

} // namespace

gguf_vocabulary vocabulary_of_sentencepiece(std::string_view model_bytes) {
  const auto processor = read_model(model_bytes);
  gguf_vocabulary words;
  words.model = "llama";
  for (int id = 0; id < processor->GetPieceSize(); ++id) {
    words.tokens.push_back(processor->IdToPiece(id));
    words.scores.push_back(processor->GetScore(id));
  }
  words.types = piece_types(model_bytes);
  const auto named = [](int id) {
    return id < 0 ? std::nullopt
                  : std::optional(static_cast<std::uint32_t>(id));
  };
  words.bos = named(processor->bos_id());
  words.eos = named(processor->eos_id());
  words.unk = named(processor->unk_id());
  words.add_bos = words.bos.has_value();
  words.add_eos = false;
  words.add_space_prefix = adds_space(*processor);
  return words;
}

std::unique_ptr<tokenizer> load_sentencepiece(std::string_view model_bytes,
                                              bool add_bos) {
  auto processor = read_model(model_bytes);
  tokenizer_parts parts;
  add_pieces(*processor, parts);
  const auto named = [](int id) {
    return id < 0 ? std::nullopt
                  : std::optional(static_cast<std::uint32_t>(id));
  };
  parts.bos = named(processor->bos_id());
  if (const auto eos = named(processor->eos_id()))
    parts.eos = {*eos};
  if (add_bos && parts.bos)
    parts.prefix = {*parts.bos};
  parts.strip_leading_space = adds_space(*processor);
  parts.description = "SentencePiece model";
  parts.encoder = std::make_unique<library_encoder>(std::move(processor));
  return std::make_unique<tokenizer>(std::move(parts));
}

} // namespace sluice
