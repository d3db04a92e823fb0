// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

struct tokenizer_parts;

/// How text becomes token ids.
struct encode_options {
  /// Adds what the model's template asks for (BOS, EOS, ...); BOS exactly once.
  bool add_bos_eos_template = true;
  /// Reads "<|im_end|>" and the like in the text as control tokens. Leave it
  /// off for text of users: their special tokens then stay text.
  bool parse_special = false;
};

/// Text to token ids and back. Const and shareable between threads once
/// built; the loaders are in model/tokenizer/load.hpp.
///
/// Order of encoding: added tokens split the raw text, the normaliser runs on
/// what is left, normalised added tokens split again, the pre-tokenizer cuts
/// pieces, byte-pair merging turns each piece into ids, the template frames
/// them.
class tokenizer {
public:
  /// Takes finished parts; used by the loaders alone.
  explicit tokenizer(tokenizer_parts parts);
  ~tokenizer();
  tokenizer(tokenizer&&) noexcept;
  tokenizer& operator=(tokenizer&&) noexcept;

  /// Token ids of a text.
  /// @param text  UTF-8; bytes that are not are encoded as bytes.
  /// @return ids below vocab_size().
  /// @throws model_error if a pre-tokenizer pattern runs into its match limit.
  /// @note   O(n log n) in the longest piece, linear in the number of pieces.
  std::vector<std::uint32_t> encode(std::string_view text,
                                    encode_options options = {}) const;

  /// Text of ids, with the leading space of SentencePiece vocabularies
  /// removed and bytes that form no character replaced by U+FFFD.
  /// @param ids           any ids; those outside the vocabulary are skipped.
  /// @param skip_special  leaves control tokens out.
  std::string decode(std::span<const std::uint32_t> ids,
                     bool skip_special = true) const;

  /// Raw bytes that a token adds to the text; may be part of a character.
  /// @return a view that lives as long as the tokenizer: the name of a
  ///         control token, "" for an id outside the vocabulary.
  std::string_view token_bytes(std::uint32_t id) const noexcept;

  /// Whether a token is no text by itself: a control token or the unknown.
  bool is_special(std::uint32_t id) const noexcept;

  /// Number of ids; a model's logits may have more rows, which name nothing.
  std::uint32_t vocab_size() const noexcept;

  /// Id of a token by its name in the model's files, e.g. "<|im_end|>".
  std::optional<std::uint32_t> find_token(std::string_view name) const;

  /// The token that begins a text, if the model's files name one.
  std::optional<std::uint32_t> bos() const noexcept;

  /// The tokens that end a text; the model's generation config may add more.
  const std::vector<std::uint32_t>& eos() const noexcept;

  /// What the scheme is, for `sluice show`: e.g. "byte-level BPE, qwen2".
  const std::string& description() const noexcept;

private:
  std::unique_ptr<const tokenizer_parts> parts_;
};

} // namespace sluice
