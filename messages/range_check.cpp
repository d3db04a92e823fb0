// SPDX-License-Identifier: Apache-2.0
#include "messages/range_check.hpp"

#include <algorithm>
#include <charconv>

namespace sluice::messages {
namespace {

/// The shortest text that reads back as the same number.
std::string shortest(float number) {
  char text[32];
  const auto [end, error] = std::to_chars(text, text + sizeof text, number);
  return {text, end};
}

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7F;
}

} // namespace

range_check& range_check::within(std::string_view field, float found, float low,
                                 float high) {
  if (!problem_ && !(found >= low && found <= high))
    report(field, shortest(found), shortest(low) + " to " + shortest(high));
  return *this;
}

range_check& range_check::above(std::string_view field, float found, float low,
                                float high) {
  if (!problem_ && !(found > low && found <= high))
    report(field, shortest(found),
           "above " + shortest(low) + ", at most " + shortest(high));
  return *this;
}

range_check& range_check::length(std::string_view field,
                                 const flatbuffers::String* found,
                                 std::size_t most) {
  return amount(field, found ? found->size() : 0, most, "bytes");
}

range_check& range_check::name(std::string_view field,
                               const flatbuffers::String* found,
                               std::size_t most) {
  length(field, found, most);
  if (!problem_ && found &&
      std::any_of(found->begin(), found->end(),
                  [](auto c) { return is_control(static_cast<char>(c)); }))
    report(field, "a name with control characters", "printable characters");
  return *this;
}

range_check& range_check::rule(bool holds, std::string_view remedy) {
  if (!problem_ && !holds)
    problem_ = remedy;
  return *this;
}

range_check& range_check::amount(std::string_view field, std::size_t found,
                                 std::size_t most, std::string_view unit) {
  if (!problem_ && found > most)
    problem_ = std::string{field} + " has " + std::to_string(found) + ' ' +
               std::string{unit} + "; allowed: at most " + std::to_string(most);
  return *this;
}

void range_check::report(std::string_view field, std::string_view found,
                         std::string_view allowed) {
  problem_ = std::string{field} + " is " + std::string{found} +
             "; allowed: " + std::string{allowed};
}

} // namespace sluice::messages
