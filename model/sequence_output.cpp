// SPDX-License-Identifier: Apache-2.0
#include "model/sequence_output.hpp"

namespace sluice {

sequence_output::sequence_output(std::uint32_t index, const tokenizer& text,
                                 stop_rules rules)
    : index_{index}, rules_{rules}, text_{text, std::move(rules)} {}

output_step
sequence_output::push(std::uint32_t token,
                      std::unique_ptr<messages::TokenLogprobT> logprob) {
  ++generated_;
  held_.push_back({token, std::move(logprob)});
  auto step = text_.push(token);
  output_step result;
  if (step.reason == stop_reason::stop_token) {
    result.end = messages::FinishReason::stop_token;
  } else if (step.reason == stop_reason::stop_string) {
    result.end = messages::FinishReason::stop_string;
    result.stop = rules_.strings.at(step.stop_index);
  }
  result.delta = release(std::move(step));
  return result;
}

std::unique_ptr<messages::DeltaT> sequence_output::flush() {
  return text_.finished() ? nullptr : release(text_.flush());
}

std::unique_ptr<messages::DeltaT> sequence_output::release(text_step step) {
  if (step.text.empty() && step.released_tokens <= released_)
    return nullptr;
  auto delta = std::make_unique<messages::DeltaT>();
  delta->sequence = index_;
  delta->text = std::move(step.text);
  for (; released_ < step.released_tokens && !held_.empty(); ++released_) {
    delta->tokens.push_back(held_.front().token);
    if (held_.front().logprob)
      delta->logprobs.push_back(std::move(held_.front().logprob));
    held_.pop_front();
  }
  return delta;
}

} // namespace sluice
