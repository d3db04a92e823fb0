// SPDX-License-Identifier: Apache-2.0
#include "model/text_stream.hpp"

#include "kernels/check.hpp"
#include "model/tokenizer/tokenizer.hpp"

#include <algorithm>
#include <utility>

namespace sluice {

text_stream::text_stream(const tokenizer& source, stop_rules rules)
    : source_(&source),
      rules_(std::make_shared<const stop_rules>(std::move(rules))),
      matcher_(rules_->strings) {}

text_step text_stream::push(std::uint32_t token) {
  require(!finished_, "text_stream: push after the end; make a new stream");
  ++pushed_;
  if (const auto which = stop_token(token); which && may_stop()) {
    auto step = flush();
    if (!step.reason) {
      step.reason = stop_reason::stop_token;
      step.stop_index = *which;
    }
    return step;
  }
  const auto searched = held_.size();
  if (!rules_->skip_special || !source_->is_special(token))
    repair_.push(source_->token_bytes(token), held_);
  // Half a character ends somewhere within the next one.
  ends_.push_back(emitted_ + held_.size() + (repair_.pending() > 0 ? 1 : 0));
  if (!may_stop())
    return release(held_.size());
  if (auto stop = find_stop_string(searched))
    return *std::move(stop);
  return release(held_.size() - matcher_.held());
}

text_step text_stream::flush() {
  require(!finished_, "text_stream: flush after the end; make a new stream");
  finished_ = true;
  const auto searched = held_.size();
  repair_.flush(held_);
  if (may_stop()) // U+FFFD may complete a stop string
    if (auto stop = find_stop_string(searched))
      return *std::move(stop);
  auto step = release(held_.size());
  step.released_tokens = pushed_;
  return step;
}

/// Runs the stop strings over what is new in held_.
std::optional<text_step> text_stream::find_stop_string(std::size_t from) {
  for (auto at = from; at < held_.size(); ++at)
    if (const auto found = matcher_.push(held_[at]))
      return stop_at_string(at + 1 - found->length, found->index);
  return std::nullopt;
}

text_step text_stream::stop_at_string(std::size_t cut, std::uint32_t which) {
  finished_ = true;
  auto step = release(cut);
  if (!ends_.empty() && begin_ < emitted_)
    ++step.released_tokens; // the token that the stop string cut short
  step.reason = stop_reason::stop_string;
  step.stop_index = which;
  return step;
}

/// Emits the first `count` bytes of held_.
text_step text_stream::release(std::size_t count) {
  text_step step;
  step.text = held_.substr(0, count);
  held_.erase(0, count);
  emitted_ += count;
  for (; !ends_.empty() && ends_.front() <= emitted_; ends_.pop_front()) {
    begin_ = ends_.front();
    ++released_;
  }
  step.released_tokens = released_;
  return step;
}

std::optional<std::uint32_t>
text_stream::stop_token(std::uint32_t token) const noexcept {
  const auto& tokens = rules_->tokens;
  const auto found = std::find(tokens.begin(), tokens.end(), token);
  if (found == tokens.end())
    return std::nullopt;
  return static_cast<std::uint32_t>(found - tokens.begin());
}

} // namespace sluice
