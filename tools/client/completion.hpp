// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "messages/stream_generated.h"

namespace sluice::client {

/// Adds the scores of the tokens that follow.
void append(messages::TokenScoresT& all, const messages::TokenScoresT& more);

/// What one sequence of a request has come to.
struct sequence_text {
  std::string text;
  std::vector<std::uint32_t> tokens;
  std::vector<messages::TokenLogprobT> logprobs; // if asked for
  messages::TokenScoresT prompt; // of the prompt's tokens, if asked for
  messages::FinishReason reason = messages::FinishReason::none;
  std::string stop; // the stop string that was met
  double score = 0; // what best_of and beams rank by
};

/// Adds up the chunks of one request, in the order that the client gives them.
class completion {
public:
  void take(const messages::Chunk& chunk);

  /// By sequence index.
  const std::map<std::uint32_t, sequence_text>& sequences() const noexcept {
    return sequences_;
  }

private:
  void add(const messages::Delta& delta);
  void withdraw(const messages::Retract& retract);
  void close(const messages::SequenceEnd& end);

  std::map<std::uint32_t, sequence_text> sequences_;
};

} // namespace sluice::client
