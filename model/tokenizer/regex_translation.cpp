// SPDX-License-Identifier: Apache-2.0
#include "model/tokenizer/refuse.hpp"
#include "model/tokenizer/regex.hpp"

namespace sluice {

namespace {

constexpr std::string_view space_set =
    R"(\x{9}-\x{d}\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";
constexpr std::string_view word_set = R"(\p{Alphabetic}\p{M}\p{N}\p{Pc})";
constexpr std::string_view digit_set = R"(\p{Nd})";

/// Reads a pattern from left to right and writes its translation.
class translator {
public:
  explicit translator(std::string_view pattern) : pattern_(pattern) {}

  std::string run() {
    while (at_ < pattern_.size()) {
      const char c = pattern_[at_];
      if (c == '\\')
        escape();
      else if (inside_class_)
        class_member(c);
      else
        plain(c);
    }
    return std::move(out_);
  }

private:
  [[noreturn]] void refuse(std::string_view construct) const {
    refuse_tokenizer(model_fault::unsupported,
                     "pattern " + std::string(pattern_),
                     "'" + std::string(construct) +
                         "' has no safe translation for this engine",
                     convert_tokenizer);
  }

  void copy(std::size_t count) {
    out_.append(pattern_.substr(at_, count));
    at_ += count;
  }

  void plain(char c) {
    if (pattern_.substr(at_).starts_with("(?") && !known_group())
      refuse(pattern_.substr(at_, 3));
    if (c == '[')
      open_class();
    else
      copy(1);
  }

  bool known_group() const {
    const auto rest = pattern_.substr(at_ + 2);
    for (std::string_view known : {":", "=", "!", "<=", "<!", ">", "i:", "i)"})
      if (rest.starts_with(known))
        return true;
    return false;
  }

  void open_class() {
    inside_class_ = true;
    copy(1);
    if (at_ < pattern_.size() && pattern_[at_] == '^')
      copy(1);
    if (at_ < pattern_.size() && pattern_[at_] == ']')
      refuse("[]");
  }

  void class_member(char c) {
    if (c == '[')
      refuse("[ inside []"); // a nested class there, a character here
    if (pattern_.substr(at_).starts_with("&&"))
      refuse("&&"); // an intersection there, characters here
    inside_class_ = c != ']';
    copy(1);
  }

  void escape() {
    const auto next = at_ + 1 < pattern_.size() ? pattern_[at_ + 1] : '\0';
    switch (next) {
    case 's':
      return set(space_set, false);
    case 'S':
      return set(space_set, true);
    case 'w':
      return set(word_set, false);
    case 'W':
      return set(word_set, true);
    case 'd':
      return set(digit_set, false);
    case 'D':
      return set(digit_set, true);
    case 'p':
    case 'P':
      return property();
    default:
      return other_escape(next);
    }
  }

  void set(std::string_view members, bool negated) {
    if (inside_class_ && negated)
      refuse(pattern_.substr(at_, 2));
    if (inside_class_)
      out_.append(members);
    else
      out_.append(negated ? "[^" : "[").append(members).append("]");
    at_ += 2;
  }

  /// Category names have one or two letters; longer ones are scripts, which
  /// PCRE2 would otherwise read as script extensions.
  void property() {
    const auto close = pattern_.find('}', at_);
    const bool braced = pattern_.substr(at_ + 2).starts_with("{");
    if (!braced || close == std::string_view::npos)
      refuse(pattern_.substr(at_, 3));
    auto name = pattern_.substr(at_ + 3, close - at_ - 3);
    out_.append(pattern_.substr(at_, 3));
    if (name.starts_with('^')) {
      out_.push_back('^');
      name.remove_prefix(1);
    }
    if (name.size() > 2)
      out_.append("sc:");
    out_.append(name).push_back('}');
    at_ = close + 1;
  }

  void other_escape(char next) {
    constexpr std::string_view controls = "rntfvax";
    const bool alphanumeric = (next >= '0' && next <= '9') ||
                              (next >= 'A' && next <= 'Z') ||
                              (next >= 'a' && next <= 'z');
    if (next == '\0' ||
        (alphanumeric && controls.find(next) == std::string_view::npos))
      refuse(pattern_.substr(at_, 2));
    if (next == 'v')
      return vertical_tab();
    copy(2);
  }

  void vertical_tab() { // \v is a whole class in PCRE2
    out_.append(R"(\x{b})");
    at_ += 2;
  }

  std::string_view pattern_;
  std::string out_;
  std::size_t at_ = 0;
  bool inside_class_ = false;
};

} // namespace

std::string translate_pattern(std::string_view pattern) {
  return translator(pattern).run();
}

} // namespace sluice
