// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "messages/stream_generated.h"
#include "model/text_stream.hpp"

namespace sluice {

/// What one token, or the end, of a sequence lets out.
struct output_step {
  std::unique_ptr<messages::DeltaT> delta; // null: nothing leaves yet
  std::optional<messages::FinishReason> end;
  std::string stop; // the stop string that was met
};

/// Turns the tokens sampled for one sequence into the deltas that its client
/// sees. A token leaves together with its text: what a stop string may yet cut
/// off is held back, so nothing is ever withdrawn.
class sequence_output {
public:
  /// @param index  of the sequence in its request.
  /// @param text   must outlive this object.
  sequence_output(std::uint32_t index, const tokenizer& text, stop_rules rules);
  sequence_output(sequence_output&&) = default;
  sequence_output& operator=(sequence_output&&) = default;

  /// One sampled token.
  /// @param logprob  its log-probabilities, or null.
  output_step push(std::uint32_t token,
                   std::unique_ptr<messages::TokenLogprobT> logprob);

  /// The end for another reason: lets out what was held back.
  std::unique_ptr<messages::DeltaT> flush();

  /// Tokens sampled so far, those that end the sequence included.
  std::uint32_t generated_tokens() const noexcept { return generated_; }

private:
  struct held_token {
    std::uint32_t token;
    std::unique_ptr<messages::TokenLogprobT> logprob;
  };

  std::unique_ptr<messages::DeltaT> release(text_step step);

  std::uint32_t index_;
  stop_rules rules_;
  text_stream text_;
  std::deque<held_token> held_;
  std::uint64_t released_ = 0; // tokens that have left
  std::uint32_t generated_ = 0;
};

} // namespace sluice
