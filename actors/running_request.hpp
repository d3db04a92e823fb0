// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <caf/actor_clock.hpp>

#include "actors/beam_group.hpp"
#include "actors/held_answers.hpp"
#include "actors/policy/lane_schedule.hpp"
#include "actors/policy/restarts.hpp"
#include "messages/frame.hpp"
#include "model/sequence_output.hpp"

namespace sluice::actors {

/// Key of a sequence inside the daemon.
constexpr std::uint64_t sequence_key(std::uint64_t request,
                                     std::uint32_t index) {
  return request << 8 | index;
}
constexpr std::uint64_t request_of(std::uint64_t sequence) {
  return sequence >> 8;
}
constexpr std::uint32_t index_of(std::uint64_t sequence) {
  return static_cast<std::uint32_t>(sequence & 0xff);
}

/// One sequence of a running request.
struct running_sequence {
  bool alive = false;
  std::optional<sequence_output> output; // while it is alive; of beams: none
  bool joined = false;                   // the executor knows it
  bool entered = false;                  // it has had pages
};

/// A request that runs on a lane: what the batcher must remember of it.
class running_request {
public:
  using time_point = caf::actor_clock::time_point;

  /// @param context_tokens  of the lane, > those of the prompt.
  running_request(messages::frame<messages::Admit> order, const tokenizer& text,
                  std::string model, std::uint32_t context_tokens,
                  time_point now);

  std::uint64_t number() const { return work().request(); }
  const messages::Work& work() const { return *order_->work(); }

  running_sequence& sequence(std::uint32_t index) {
    return sequences_.at(index);
  }
  std::uint32_t size() const {
    return static_cast<std::uint32_t>(sequences_.size());
  }
  /// Sequences that begin; of beams the first, from which the others come.
  std::uint32_t beginning() const { return beams_ ? 1 : size(); }
  /// The beams of a search, or null.
  beam_group* beams() { return beams_ ? &*beams_ : nullptr; }
  /// Answers that wait for each other, or null.
  held_answers* held() { return held_ ? &*held_ : nullptr; }
  /// Nothing of an answer is published before all are there.
  bool answers_at_end() const { return beams_ || held_; }
  bool publishes_logprobs() const {
    return work().sampling()->want_logprobs() ||
           work().sampling()->logprobs() > 0;
  }
  /// A beam begins with a sequence that is free.
  void revive(std::uint32_t index) {
    sequences_.at(index).alive = true;
    sequences_.at(index).joined = false;
  }

  bool alive() const;
  std::vector<std::uint32_t> living() const; // indices, ascending

  /// What the executor must know before a sequence's first row.
  /// @param tokens    all that are known.
  /// @param computed  of them, how many have their KV.
  std::unique_ptr<messages::SequenceStateT>
  state_of(std::uint32_t index, std::span<const std::uint32_t> tokens,
           std::uint32_t computed) const;

  /// What of a sequence's prompt is scored: the sequences share a prompt, so
  /// the first alone.
  policy::prompt_scoring scoring_of(std::uint32_t index) const;

  /// The prompt's text for a client that asked for it, or null.
  std::unique_ptr<messages::DeltaT> echo_of(std::uint32_t index) const;

  void count_step() { ++receipt_.steps; }
  void count_tokens(std::uint32_t tokens, time_point now);
  void count_scores(const messages::TokenScores& scores);
  /// A sequence of it has entered the lane, for the first time or again.
  void count_entry(std::uint32_t index, std::uint32_t cached_tokens);
  void count_preemption() { ++receipt_.preemptions; }
  /// The device was lost in a step of it.
  /// @return false: it has lost it often enough.
  bool bear_loss() {
    return losses_.bear(std::uint64_t{receipt_.generated_tokens} +
                        receipt_.scored_tokens);
  }

  /// Pages of one of its sequences were given back; what they come to follows.
  void await_usage() { ++unsettled_; }
  void count_usage(double page_seconds);
  double page_seconds() const { return receipt_.page_seconds; }
  /// Everything that was given back is accounted for.
  bool is_settled() const { return unsettled_ == 0; }

  /// The usage so far, closed at @p now.
  std::unique_ptr<messages::ReceiptT> receipt(time_point now) const;

  /// Microseconds from arrival to the first token; 0 before it.
  std::uint64_t first_token_us() const { return receipt_.first_token_us; }

private:
  void choose_form(const tokenizer& text, std::uint32_t context_tokens);
  void set_sampling(messages::SequenceStateT& state) const;
  std::uint64_t age_us(time_point now) const;

  messages::frame<messages::Admit> order_;
  std::vector<running_sequence> sequences_;
  std::optional<beam_group> beams_;
  std::optional<held_answers> held_;
  std::uint32_t unsettled_ = 0; // gifts of pages
  policy::request_losses losses_;
  messages::ReceiptT receipt_;
  time_point admitted_;
};

} // namespace sluice::actors
