// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "messages/stream_generated.h"

namespace sluice::actors {

/// A whole answer before it is published.
struct held_answer {
  std::vector<std::unique_ptr<messages::DeltaT>> deltas;
  std::unique_ptr<messages::SequenceEndT> end;

  /// Adds what comes next; null is nothing. Chunks stay of moderate size.
  void add(std::unique_ptr<messages::DeltaT> delta);

  /// Its place among those that are published.
  void set_sequence(std::uint32_t index);
};

/// The candidates of a request with best_of: the best are published when all
/// have ended. A candidate's score is its mean log-probability per generated
/// token, that of the stop token included, in the model's own distribution:
/// before penalties, bias, temperature and filters, which would make unlikely
/// text look certain. Equal scores: the lower index first.
class held_answers {
public:
  explicit held_answers(std::uint32_t candidates)
      : answers_(candidates), sums_(candidates) {}

  void add(std::uint32_t candidate, std::unique_ptr<messages::DeltaT> delta) {
    answers_.at(candidate).add(std::move(delta));
  }

  /// One more token of a candidate.
  void count(std::uint32_t candidate, float raw_logprob) {
    sums_.at(candidate) += static_cast<double>(raw_logprob);
  }

  /// A candidate is complete; its score goes into the end.
  void end(std::uint32_t candidate,
           std::unique_ptr<messages::SequenceEndT> end);

  /// @pre all have ended.
  /// @return the best n, best first and numbered so.
  std::vector<held_answer> take_best(std::uint32_t n);

private:
  std::vector<held_answer> answers_; // by candidate
  std::vector<double> sums_;         // of log-probabilities, beside them
};

} // namespace sluice::actors
