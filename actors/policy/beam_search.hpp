// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "messages/common_generated.h"

namespace sluice::policy {

struct beam_rules {
  std::uint32_t width = 1;       // beams, > 0
  std::uint32_t most_tokens = 1; // of an answer, > 0
  double length_penalty = 1;
  messages::EarlyStopping early_stopping = messages::EarlyStopping::heuristic;
};

/// A token that may follow a beam.
struct beam_choice {
  std::uint32_t token = 0;
  float logprob = 0;
};

/// One more token of a beam.
struct beam_step {
  std::uint32_t parent = 0; // place among the beams that ran before
  std::uint32_t token = 0;
  double sum = 0; // of all log-probabilities, in the order of the tokens
};

/// An answer that is complete; ids count from 0 in the order of completion.
struct beam_end {
  std::uint64_t id = 0;
  beam_step last;
};

/// An answer's place in the ranking.
struct ranked_beam {
  std::uint64_t id = 0;
  double score = 0; // sum / tokens ^ length_penalty
};

struct beam_round {
  std::vector<beam_step> running; // best first: these go on
  std::vector<beam_end> ended;
};

/// Whether an answer is complete with this token behind that beam.
using beam_end_test =
    std::function<bool(std::uint32_t parent, std::uint32_t token)>;

/// Beam search: which beams go on, which answers are complete, and when it is
/// enough. Begins with one beam of no tokens.
///
/// In a round every choice of every beam is one more token of it; the largest
/// sum is first, then the beam that was before, then the lowest token, so that
/// no two are equal. The first `width` that end nothing go on. Of those that
/// end an answer, the ones among the first `width` of all are complete, the
/// others are given up. The best `width` complete answers are kept: the
/// largest score first, then who was complete first. At most_tokens the running
/// beams are complete too.
///
/// Sums and scores are f64. No CAF, clock or I/O, and no tokens but the new
/// ones: who holds what a beam has come to keeps it by place and id.
/// @source the rules of Hugging Face transformers' beam search (4.x), with an
///         order that is total.
class beam_search {
public:
  /// @throws contract_violation if width or most_tokens is 0.
  explicit beam_search(const beam_rules& rules);

  /// @param choices  of each running beam in order, likeliest first. As many
  ///                 as width + tokens that end an answer are as good as all.
  /// @throws contract_violation unless there is a list for each beam.
  /// @pre   not done().
  beam_round advance(std::span<const std::vector<beam_choice>> choices,
                     const beam_end_test& ends);

  /// Nothing goes on.
  bool done() const { return sums_.empty(); }

  /// Complete answers, best first; at most width.
  const std::vector<ranked_beam>& best() const { return best_; }

  std::uint32_t running() const {
    return static_cast<std::uint32_t>(sums_.size());
  }
  std::uint32_t tokens() const { return tokens_; } // of a running beam

private:
  std::vector<beam_step>
  expand(std::span<const std::vector<beam_choice>> choices) const;
  void complete(const beam_step& last, beam_round& round);
  double score(double sum, std::uint32_t tokens) const;
  bool is_enough(const std::vector<beam_step>& running) const;

  beam_rules rules_;
  std::vector<double> sums_{0.0}; // of the running beams
  std::uint32_t tokens_ = 0;
  std::uint64_t next_id_ = 0;
  std::vector<ranked_beam> best_;
};

} // namespace sluice::policy
