// SPDX-License-Identifier: Apache-2.0
#include "model/stop_matcher.hpp"

#include "kernels/check.hpp"

#include <algorithm>

namespace sluice {

namespace {

/// Length that remains matched after `byte`, of a state that was not complete.
std::uint32_t advance(const std::string& text,
                      const std::vector<std::uint32_t>& border,
                      std::uint32_t state, char byte) {
  while (state > 0 && (state == text.size() || text[state] != byte))
    state = border[state];
  return text[state] == byte ? state + 1 : 0;
}

/// border[n]: length of the longest proper prefix of text[0, n) that also ends
/// it.
std::vector<std::uint32_t> borders(const std::string& text) {
  std::vector<std::uint32_t> border(text.size() + 1, 0);
  for (std::size_t length = 1; length < text.size(); ++length)
    border[length + 1] = advance(text, border, border[length], text[length]);
  return border;
}

} // namespace

stop_matcher::stop_matcher(const std::vector<std::string>& strings)
    : states_(strings.size(), 0) {
  auto patterns = std::make_shared<std::vector<pattern>>();
  for (const auto& text : strings) {
    require(!text.empty(),
            "stop_matcher: a stop string is empty; leave it out");
    patterns->push_back({text, borders(text)});
  }
  patterns_ = std::move(patterns);
}

std::optional<stop_matcher::match> stop_matcher::push(char byte) {
  std::optional<match> best;
  for (std::size_t at = 0; at < states_.size(); ++at) {
    const auto& [text, border] = (*patterns_)[at];
    states_[at] = advance(text, border, states_[at], byte);
    if (states_[at] == text.size() && (!best || text.size() > best->length))
      best = match{text.size(), static_cast<std::uint32_t>(at)};
  }
  return best;
}

std::size_t stop_matcher::held() const noexcept {
  const auto longest = std::max_element(states_.begin(), states_.end());
  return longest == states_.end() ? 0 : *longest;
}

} // namespace sluice
