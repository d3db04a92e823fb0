// SPDX-License-Identifier: Apache-2.0
#include "model/tokenizer/normalizer.hpp"
#include "model/tokenizer/unicode.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <stdexcept>

#include <utf8proc.h>

namespace sluice {

namespace {

using code_points = std::vector<utf8proc_int32_t>;

utf8proc_option_t options(unicode_form form) {
  return static_cast<utf8proc_option_t>(
      UTF8PROC_STABLE | (form.compose ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE) |
      (form.compatibility ? UTF8PROC_COMPAT : 0));
}

/// Appends the full decomposition of one code point.
void decompose(char32_t value, utf8proc_option_t options, code_points& out) {
  std::array<utf8proc_int32_t, 32> parts{}; // the longest known is 18
  int boundary = 0;
  const auto count = utf8proc_decompose_char(
      static_cast<utf8proc_int32_t>(value), parts.data(),
      static_cast<utf8proc_ssize_t>(parts.size()), options, &boundary);
  if (count < 0 || count > static_cast<utf8proc_ssize_t>(parts.size()))
    throw std::runtime_error(utf8proc_errmsg(count));
  out.insert(out.end(), parts.begin(), parts.begin() + count);
}

utf8proc_propval_t combining_class(utf8proc_int32_t value) {
  return utf8proc_get_property(value)->combining_class;
}

/// Canonical order. The library's own reordering is quadratic in a run of
/// marks, which a request could abuse.
void reorder(code_points& text) {
  const auto starter = [](auto value) { return combining_class(value) == 0; };
  for (auto run = text.begin(); run != text.end();) {
    const auto end = std::find_if(run, text.end(), starter);
    if (end - run > 1)
      std::stable_sort(run, end, [](auto a, auto b) {
        return combining_class(a) < combining_class(b);
      });
    run = std::find_if_not(end, text.end(), starter);
  }
}

void append(code_points& text, unicode_form form, std::string& out) {
  if (text.empty())
    return;
  reorder(text);
  auto count = static_cast<utf8proc_ssize_t>(text.size());
  if (form.compose)
    count = utf8proc_normalize_utf32(text.data(), count, options(form));
  for (utf8proc_ssize_t at = 0; at < count; ++at)
    append_utf8(static_cast<char32_t>(text[static_cast<std::size_t>(at)]), out);
  text.clear();
}

} // namespace

std::string normalize(std::string_view text, unicode_form form) {
  std::string out;
  out.reserve(text.size());
  code_points run; // of well-formed characters
  for (std::size_t at = 0; at < text.size();) {
    const auto [value, length] = decode_utf8(text, at);
    if (value == invalid_byte) {
      append(run, form, out);
      out.push_back(text[at]);
    } else {
      // An ASCII character composes with nothing before it.
      if (value < 0x80)
        append(run, form, out);
      decompose(value, options(form), run);
    }
    at += length;
  }
  append(run, form, out);
  return out;
}

} // namespace sluice
