// SPDX-License-Identifier: Apache-2.0
#include "model/tokenizer/regex.hpp"

#include "model/tokenizer/refuse.hpp"
#include "model/tokenizer/unicode.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

namespace sluice {

namespace {

constexpr std::uint32_t max_steps = 100'000'000; // of one match
constexpr std::uint32_t max_depth = 1'000'000;   // backtracking points
constexpr std::uint32_t max_heap_kib = 64u << 10;
constexpr std::size_t max_pattern_bytes = 16384;

struct pcre2_deleter {
  void operator()(pcre2_code* p) const { pcre2_code_free(p); }
  void operator()(pcre2_match_data* p) const { pcre2_match_data_free(p); }
  void operator()(pcre2_match_context* p) const { pcre2_match_context_free(p); }
};
template <typename T>
using owned = std::unique_ptr<T, pcre2_deleter>;

template <typename T>
owned<T> checked(T* created) {
  if (!created)
    throw std::bad_alloc();
  return owned<T>(created);
}

std::string error_text(int code) {
  std::array<PCRE2_UCHAR, 160> text{};
  pcre2_get_error_message(code, text.data(), text.size());
  return reinterpret_cast<const char*>(text.data());
}

/// A compiled pattern; const, so threads may share it.
class compiled_regex {
public:
  explicit compiled_regex(std::string_view pattern)
      : source_(pattern),
        limits_(checked(pcre2_match_context_create(nullptr))) {
    if (pattern.size() > max_pattern_bytes)
      refuse_tokenizer(model_fault::limit, "pre-tokenizer pattern",
                       "longer than 16 KiB");
    const auto translated = translate_pattern(pattern);
    int code = 0;
    PCRE2_SIZE offset = 0;
    code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()),
                              translated.size(),
                              PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C,
                              &code, &offset, nullptr));
    if (!code_)
      refuse_tokenizer(model_fault::unsupported, "pattern " + source_,
                       "does not compile: " + error_text(code),
                       convert_tokenizer);
    pcre2_set_match_limit(limits_.get(), max_steps);
    pcre2_set_depth_limit(limits_.get(), max_depth);
    pcre2_set_heap_limit(limits_.get(), max_heap_kib);
  }

  /// Matches within each well-formed stretch: the library would otherwise
  /// check the whole rest of the text again for every match.
  void find(std::string_view text, const match_sink& sink) const {
    const auto data =
        checked(pcre2_match_data_create_from_pattern(code_.get(), nullptr));
    for (std::size_t at = 0; at < text.size();) {
      const auto end = valid_end(text, at);
      find_valid(text.substr(at, end - at), sink, data.get());
      at = end;
      while (at < text.size() && decode_utf8(text, at).value == invalid_byte)
        ++at;
      sink(text.substr(end, at - end), false);
    }
  }

private:
  static std::size_t valid_end(std::string_view text, std::size_t at) {
    while (at < text.size()) {
      const auto [value, length] = decode_utf8(text, at);
      if (value == invalid_byte)
        break;
      at += length;
    }
    return at;
  }

  void find_valid(std::string_view text, const match_sink& sink,
                  pcre2_match_data* data) const {
    std::size_t done = 0;
    for (std::size_t from = 0; from < text.size();) {
      if (!match(text, from, data))
        break;
      const auto* edges = pcre2_get_ovector_pointer(data);
      sink(text.substr(done, edges[0] - done), false);
      sink(text.substr(edges[0], edges[1] - edges[0]), true);
      done = from = edges[1];
      if (edges[0] == edges[1] && from < text.size())
        from += decode_utf8(text, from).length;
    }
    sink(text.substr(done), false);
  }

  bool match(std::string_view text, std::size_t from,
             pcre2_match_data* data) const {
    const int count =
        pcre2_match(code_.get(), reinterpret_cast<PCRE2_SPTR>(text.data()),
                    text.size(), from, PCRE2_NO_UTF_CHECK, data, limits_.get());
    if (count < 0 && count != PCRE2_ERROR_NOMATCH)
      refuse_tokenizer(model_fault::limit, "pattern " + source_,
                       "gave up on a text: " + error_text(count),
                       "shorten the runs of equal characters in the text");
    return count >= 0;
  }

  std::string source_;
  owned<pcre2_code> code_;
  owned<pcre2_match_context> limits_;
};

} // namespace

match_finder find_regex(std::string_view pattern) {
  auto regex = std::make_shared<const compiled_regex>(pattern);
  return [regex](std::string_view text, const match_sink& sink) {
    regex->find(text, sink);
  };
}

} // namespace sluice
