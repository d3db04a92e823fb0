// SPDX-License-Identifier: Apache-2.0
#include "tests/model/tokenizer/sample_text.hpp"

#include "model/tokenizer/unicode.hpp"

#include <cstddef>

namespace sluice::test {

namespace {

constexpr std::size_t chunk_bytes = 4096;

// The lists of tools/train/tokenizer_text.py.
constexpr std::string_view words[] = {"the",
                                      "of",
                                      "and",
                                      "to",
                                      "in",
                                      "is",
                                      "that",
                                      "it",
                                      "was",
                                      "for",
                                      "on",
                                      "are",
                                      "as",
                                      "with",
                                      "his",
                                      "they",
                                      "at",
                                      "be",
                                      "this",
                                      "have",
                                      "from",
                                      "or",
                                      "one",
                                      "had",
                                      "by",
                                      "word",
                                      "but",
                                      "not",
                                      "what",
                                      "all",
                                      "were",
                                      "we",
                                      "when",
                                      "your",
                                      "can",
                                      "said",
                                      "there",
                                      "use",
                                      "an",
                                      "each",
                                      "which",
                                      "she",
                                      "do",
                                      "how",
                                      "their",
                                      "if",
                                      "will",
                                      "up",
                                      "other",
                                      "about",
                                      "out",
                                      "many",
                                      "then",
                                      "them",
                                      "Paris",
                                      "BERLIN",
                                      "invoice",
                                      "solo",
                                      "stra\u00dfe",
                                      "na\u00efve",
                                      "\u00dcn\u00ef",
                                      "U\u0308ni\u0308",
                                      "\u041c\u043e\u0441\u043a\u0432\u0430",
                                      "\u03bb\u03cc\u03b3\u03bf\u03c2"};
constexpr std::string_view spaces[] = {" ",      " ",        " ",      "\n",
                                       "\r\n",   "\t",       "\u00a0", "\u3000",
                                       "\u2028", "\xc2\x85", "\u200a", "\r",
                                       "\u180e", "\u200b",   "\v"};
constexpr std::string_view marks = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
constexpr std::string_view contractions[] = {
    "'s",  "'t",      "'re", "'ve", "'m", "'ll",     "'d",  "'S",  "'LL",
    "'Re", "'\u017f", "'v",  "'l",  "'",  "\u2019s", "''s", "' s", "'D1"};
constexpr std::string_view emoji[] = {
    "\U0001f600",           "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "\U0001f44d\U0001f3fd", "\U0001f1e9\U0001f1ea",
    "\u2764\ufe0f",         "\U0001f3f4\U000e0067\U000e0062\U000e007f",
    "1\ufe0f\u20e3"};
constexpr char32_t scripts[] = {0x0370, 0x0400, 0x05D0, 0x0620,
                                0x0900, 0x0E00, 0x10A0, 0x3040};
constexpr std::string_view repeats[] = {
    "a",      "A",      " ", "\n",         "=",    "0",  "\u00e9",
    "\u4e2d", "\u0301", "'", "\U0001f600", "\r\n", "\t "};
constexpr std::string_view specials[] = {
    "<|bos|>",     "<|eos|>", "<tool>", " <left>", "\n <left> ", "<right>",
    "<right> \n ", "solo",    " solo ", "solos",   "<s>",        "</s>",
    "<unk>",       "<|bos|",  "\u2581", "<0x41>"};

template <std::size_t Size>
std::string pick(sample_text& text, const std::string_view (&choices)[Size]) {
  return std::string(choices[text.below(Size)]);
}

template <typename Choose>
std::string several(sample_text& text, std::uint32_t most, Choose choose) {
  std::string out;
  for (auto left = 1 + text.below(most); left > 0; --left)
    out += choose();
  return out;
}

} // namespace

std::uint32_t sample_text::below(std::uint32_t count) {
  state_ = state_ * 6364136223846793005u + 1442695040888963407u;
  return static_cast<std::uint32_t>((state_ >> 33) % count);
}

std::string sample_text::next_chunk() {
  auto text = pick(*this, words);
  while (text.size() < chunk_bytes)
    text += item();
  return text;
}

std::string sample_text::between(char32_t first, std::uint32_t count) {
  std::string out;
  append_utf8(first + below(count), out);
  return out;
}

std::string sample_text::any_plane() {
  const char32_t point = below(0x110000 - 0x800);
  std::string out;
  append_utf8(point < 0xD800 ? point : point + 0x800, out);
  return out;
}

std::string sample_text::accented() {
  const auto letter = between(0x61, 26);
  return letter + several(*this, 3, [&] { return between(0x300, 0x70); });
}

std::string sample_text::script() {
  const auto first = scripts[below(std::size(scripts))];
  return several(*this, 7, [&] { return between(first, 64); });
}

std::string sample_text::repeated() {
  const auto unit = pick(*this, repeats);
  std::string out;
  for (auto left = 1 + below(60); left > 0; --left)
    out += unit;
  return out;
}

std::string sample_text::item() {
  const auto kind = below(18);
  switch (kind) {
  case 4:
    return several(*this, 9, [&] { return between('0', 10); });
  case 5:
    return several(*this, 5, [&] { return pick(*this, spaces); });
  case 6:
    return several(*this, 4,
                   [&] { return std::string(1, marks[below(marks.size())]); });
  case 7:
    return pick(*this, contractions);
  case 8:
    return accented();
  case 9:
    return several(*this, 6, [&] { return between(0x4E00, 0x5200); });
  case 10:
    return several(*this, 4, [&] { return between(0xAC00, 11172); });
  case 11:
    return pick(*this, emoji);
  case 12:
    return script();
  case 13:
    return repeated();
  case 14:
    return pick(*this, specials);
  case 15:
    return pick(*this, words);
  case 16:
  case 17:
    if (settled_only_)
      return several(*this, 4, [&] { return between(0, 0x250); });
    return kind == 16 ? several(*this, 4, [&] { return any_plane(); })
                      : several(*this, 4, [&] { return between(0, 0x3000); });
  default:
    return " " + pick(*this, words);
  }
}

} // namespace sluice::test
