// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "flatbuffers/flatbuffers.h"

namespace sluice::messages {

/// Collects the first field that is out of range; later rules are skipped.
/// Every text names the field, the value found and what is allowed.
class range_check {
public:
  /// low <= found <= high.
  template <std::integral Number>
  range_check& within(std::string_view field, Number found,
                      std::common_type_t<Number> low,
                      std::common_type_t<Number> high) {
    if (!problem_ && (found < low || found > high))
      report(field, std::to_string(found),
             std::to_string(low) + " to " + std::to_string(high));
    return *this;
  }

  /// low <= found <= high; a NaN is out of every range.
  range_check& within(std::string_view field, float found, float low,
                      float high);

  /// low < found <= high; a NaN is out of every range.
  range_check& above(std::string_view field, float found, float low,
                     float high);

  /// At most @p most elements; an absent vector has none.
  template <class Element>
  range_check& count(std::string_view field,
                     const flatbuffers::Vector<Element>* found,
                     std::size_t most) {
    return amount(field, found ? found->size() : 0, most, "elements");
  }

  /// At most @p most bytes; an absent string has none.
  range_check& length(std::string_view field, const flatbuffers::String* found,
                      std::size_t most);

  /// A name: at most @p most bytes, none of them a control character (names
  /// end up in logs and metrics).
  range_check& name(std::string_view field, const flatbuffers::String* found,
                    std::size_t most);

  /// Any other rule; @p remedy says what is wrong and what to do.
  range_check& rule(bool holds, std::string_view remedy);

  std::optional<std::string> problem() const { return problem_; }

private:
  range_check& amount(std::string_view field, std::size_t found,
                      std::size_t most, std::string_view unit);
  void report(std::string_view field, std::string_view found,
              std::string_view allowed);

  std::optional<std::string> problem_;
};

} // namespace sluice::messages
