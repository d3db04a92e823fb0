// SPDX-License-Identifier: Apache-2.0
#include "model/tokenizer/pre_tokenizer.hpp"
#include "model/tokenizer/unicode.hpp"

#include <utility>

namespace sluice {

namespace {

enum class word_part { word, symbol, space };

word_part part_of(char32_t value) {
  if (is_word(value))
    return word_part::word;
  return is_space(value) ? word_part::space : word_part::symbol;
}

} // namespace

match_finder find_literal(std::string pattern) {
  return [pattern = std::move(pattern)](std::string_view text,
                                        const match_sink& sink) {
    std::size_t done = 0;
    for (auto found = text.find(pattern); found != std::string_view::npos;
         found = text.find(pattern, done)) {
      sink(text.substr(done, found - done), false);
      sink(text.substr(found, pattern.size()), true);
      done = found + pattern.size();
    }
    sink(text.substr(done), false);
  };
}

match_finder find_characters(bool (*in_class)(char32_t), bool one_by_one) {
  return [in_class, one_by_one](std::string_view text, const match_sink& sink) {
    std::size_t begin = 0;
    bool inside = false;
    for (std::size_t at = 0; at < text.size();) {
      const auto [value, length] = decode_utf8(text, at);
      const bool match = in_class(value);
      if (at > begin && (match != inside || (match && one_by_one))) {
        sink(text.substr(begin, at - begin), inside);
        begin = at;
      }
      inside = match;
      at += length;
    }
    sink(text.substr(begin), inside);
  };
}

match_finder find_words() {
  return [](std::string_view text, const match_sink& sink) {
    std::size_t begin = 0;
    auto current = word_part::space;
    for (std::size_t at = 0; at < text.size();) {
      const auto [value, length] = decode_utf8(text, at);
      const auto part = part_of(value);
      if (at > begin && part != current) {
        sink(text.substr(begin, at - begin), current != word_part::space);
        begin = at;
      }
      current = part;
      at += length;
    }
    sink(text.substr(begin), current != word_part::space);
  };
}

} // namespace sluice
