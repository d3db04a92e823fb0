// SPDX-License-Identifier: Apache-2.0
// The text forms of an option's value; the list itself is in options.cpp.
#include "config/options.hpp"

#include <algorithm>
#include <charconv>
#include <string>

namespace sluice::config {
namespace {

using std::chrono::milliseconds;

template <class... Functions>
struct overloaded : Functions... {
  using Functions::operator()...;
};
template <class... Functions>
overloaded(Functions...) -> overloaded<Functions...>;

[[noreturn]] void refuse(std::string_view text, std::string_view why) {
  throw config_error{"'" + std::string{text} + "' " + std::string{why}};
}

bool is_choice(std::string_view text, std::string_view choices) {
  for (;;) {
    const auto bar = choices.find('|');
    if (text == choices.substr(0, bar))
      return true;
    if (bar == std::string_view::npos)
      return false;
    choices.remove_prefix(bar + 1);
  }
}

bool parse_bool(std::string_view text) {
  if (text == "true" || text == "on" || text == "1")
    return true;
  if (text == "false" || text == "off" || text == "0")
    return false;
  refuse(text, "is neither true nor false");
}

std::uint32_t parse_count(std::string_view text) {
  std::uint32_t number = 0;
  const auto* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || rest != end)
    refuse(text, "is not a whole number from 0 to 4294967295");
  return number;
}

byte_size parse_size_or_refuse(std::string_view text) {
  if (const auto size = parse_byte_size(text))
    return *size;
  refuse(text, "is not a size; write a whole number and a unit, as in 512MiB");
}

milliseconds parse_duration_or_refuse(std::string_view text) {
  if (const auto duration = parse_duration(text))
    return *duration;
  refuse(text,
         "is not a duration; write a whole number and a unit, as in 500ms");
}

void check_range(const option& target, std::uint64_t value,
                 std::string_view text) {
  if (value < target.range.least || value > target.range.most)
    refuse(text, "is out of range; allowed: " + describe_values(target));
}

void check_text(const option& target, std::string_view text) {
  if (!target.choices.empty() && !is_choice(text, target.choices))
    refuse(text, "is not one of " + describe_values(target));
  const auto is_control = [](unsigned char c) { return c < 0x20 || c == 0x7f; };
  if (std::any_of(text.begin(), text.end(), is_control))
    throw config_error{"contains a control character; remove it"};
}

/// "16 to 1024", "at least 16", or nothing when all values are allowed.
template <class Print>
std::string print_range(const value_range& range, Print print) {
  const auto open = range.most == value_range{}.most;
  if (open)
    return range.least == 0 ? "" : "at least " + print(range.least);
  return print(range.least) + " to " + print(range.most);
}

std::string join_words(std::string_view first, const std::string& second) {
  std::string joined{first};
  return second.empty() ? joined : joined + ", " + second;
}

} // namespace

void set(const option& target, std::string_view text) {
  const auto store_number = [&](auto* field, auto value, std::uint64_t number) {
    check_range(target, number, text);
    *field = value;
  };
  std::visit(overloaded{[&](bool* field) { *field = parse_bool(text); },
                        [&](std::uint32_t* field) {
                          const auto value = parse_count(text);
                          store_number(field, value, value);
                        },
                        [&](byte_size* field) {
                          const auto value = parse_size_or_refuse(text);
                          store_number(field, value, value.count);
                        },
                        [&](milliseconds* field) {
                          const auto value = parse_duration_or_refuse(text);
                          store_number(
                              field, value,
                              static_cast<std::uint64_t>(value.count()));
                        },
                        [&](std::string* field) {
                          check_text(target, text);
                          *field = text;
                        }},
             target.field);
}

std::string get(const option& source) {
  return std::visit(
      overloaded{
          [](const bool* field) {
            return std::string{*field ? "true" : "false"};
          },
          [](const std::uint32_t* field) { return std::to_string(*field); },
          [](const byte_size* field) { return to_string(*field); },
          [](const milliseconds* field) { return to_string(*field); },
          [](const std::string* field) { return *field; }},
      source.field);
}

std::string describe_values(const option& subject) {
  const auto& range = subject.range;
  return std::visit(
      overloaded{
          [](bool*) { return std::string{"true or false"}; },
          [&](std::uint32_t*) {
            return print_range(
                range, [](std::uint64_t n) { return std::to_string(n); });
          },
          [&](byte_size*) {
            return join_words("size", print_range(range, [](std::uint64_t n) {
                                return to_string(byte_size{n});
                              }));
          },
          [&](milliseconds*) {
            return join_words(
                "duration", print_range(range, [](std::uint64_t n) {
                  return to_string(milliseconds{static_cast<long long>(n)});
                }));
          },
          [&](std::string*) {
            const auto empty_too = subject.choices.starts_with('|');
            const auto names = subject.choices.substr(empty_too ? 1 : 0);
            if (names.empty())
              return std::string{"text"};
            return std::string{names} + (empty_too ? " or empty" : "");
          }},
      subject.field);
}

std::string environment_name(std::string_view key) {
  std::string name{"SLUICE_"};
  for (const char c : key)
    name += c == '.' ? '_' : (c >= 'a' && c <= 'z') ? char(c - 'a' + 'A') : c;
  return name;
}

} // namespace sluice::config
