// SPDX-License-Identifier: Apache-2.0
#include "model/tokenizer/export_vocabulary.hpp"

#include "model/checkpoint/checkpoint.hpp"
#include "model/checkpoint/utf8.hpp"
#include "model/tokenizer/load.hpp"
#include "model/tokenizer/normalizer.hpp"
#include "model/tokenizer/refuse.hpp"

namespace sluice {

namespace {

namespace fs = std::filesystem;

// What pre-tokenizers treat differently: contractions, runs of digits, white
// space and marks, letters of several scripts, bytes beyond the BMP.
constexpr std::string_view probes[] = {
    "",
    " ",
    "Hello, world! It's 12345678 o'clock; WE'LL see, they'd say.",
    "  two leading, trailing  ",
    "a\nb\r\n\n  c\t\td \n",
    "Straße, naïve café, Ελληνικά, Русский, 中文字符, 日本語, 한국어, עברית",
    "x = {\"key\": [1, 22, 333, 4444]};  // 100% -- done...",
    "\U0001F600\U0001F468\u200D\U0001F469 \u00BD \u0663\u0664 \u2167",
    "<s></s><|bos|><|eos|><|endoftext|><|im_start|>user",
};

/// Whether the normal form NFC, which GGUF's keys leave out, leaves it alone.
bool is_composed(std::string_view text) {
  return normalize(text, {.compose = true, .compatibility = false}) == text;
}

void compare(const tokenizer& from, const tokenizer& to,
             std::string_view text) {
  for (const bool special : {false, true}) {
    const encode_options options{.parse_special = special};
    if (is_composed(text) &&
        from.encode(text, options) != to.encode(text, options))
      refuse_tokenizer(
          model_fault::unsupported, "'" + printable(text, 40) + "'",
          "a GGUF file cannot express the tokenizer: the text would get "
          "other ids",
          "use the folder as it is, with model.weight_type");
  }
}

/// The same ids for every token's text and for the probes.
void check_same_ids(const tokenizer& from, const gguf_vocabulary& words) {
  const auto to = load_tokenizer_gguf(words);
  for (const auto text : probes)
    compare(from, *to, text);
  for (std::uint32_t id = 0; id < from.vocab_size(); ++id) {
    if (id == words.unk) // stands for text, and is none
      continue;
    const auto text = from.token_bytes(id);
    if (is_utf8(std::as_bytes(std::span(text))))
      compare(from, *to, text);
  }
}

std::string read_text(const fs::path& path) {
  std::error_code ignored;
  if (!fs::exists(path, ignored))
    return {};
  const model_file file(path);
  constexpr std::uint64_t limit = 256u << 20;
  if (file.size_bytes() > limit)
    throw model_error(model_fault::limit, {file.name(), ""},
                      "larger than 256 MiB", download_again);
  std::string text(file.size_bytes(), '\0');
  file.read(0, std::as_writable_bytes(std::span(text)));
  return text;
}

} // namespace

std::optional<exported_vocabulary> export_vocabulary(const checkpoint& model) {
  using kind = tokenizer_source::kind;
  const auto source = model.tokenizer();
  if (source.from == kind::none)
    return std::nullopt;
  const auto folder = source.path.parent_path();
  const auto pieces = read_text(folder / "tokenizer.model");
  exported_vocabulary result;
  if (!pieces.empty())
    result.words = vocabulary_of_sentencepiece(pieces);
  else
    result = vocabulary_of_json(read_text(source.path),
                                read_text(folder / "tokenizer_config.json"));
  check_same_ids(*load_tokenizer(model), result.words);
  return result;
}

} // namespace sluice
