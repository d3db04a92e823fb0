// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/sampling.hpp"
#include "messages/frame_pool.hpp"
#include "messages/lane_generated.h"

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace sluice {

/// Log-probabilities of one sampled token.
struct token_odds {
  float logprob = 0;
  float raw_logprob = 0;
  std::uint32_t first_top = 0; // in row_answer::top
  std::uint32_t top_count = 0;
};

/// How likely the given tokens of a row were, an entry a scored position.
struct given_odds {
  std::uint32_t first = 0; // place in the sequence of tokens[0]
  std::vector<std::uint32_t> tokens;
  std::vector<float> logprobs;
  std::vector<std::uint32_t> ranks;
  std::uint32_t top_count = 0;           // alternatives of each
  std::vector<std::uint32_t> top_tokens; // top_count for each token
  std::vector<float> top_logprobs;       // beside top_tokens

  void clear();
};

/// What a step gave for one row of its plan.
struct row_answer {
  messages::ErrorCode code = messages::ErrorCode::none;
  std::string text;                  // why, if the code is not none
  std::vector<std::uint32_t> tokens; // one per sampled position
  std::vector<token_odds> odds;      // beside tokens, if they were asked for
  std::vector<token_logprob> top;    // alternatives, of all odds
  given_odds scores;

  /// The row failed: it gave nothing else.
  void fail(messages::ErrorCode why, std::string because);
};

/// Where the time of a step went, besides the rest.
struct step_times {
  std::chrono::nanoseconds idle{};     // before it, since the step before
  std::chrono::nanoseconds compute{};  // inside it, all in all
  std::chrono::nanoseconds kernels{};  // forward pass and logits
  std::chrono::nanoseconds sampling{}; // logits to tokens
  std::chrono::nanoseconds moves{};    // until its pages had been moved
};

/// What a step gave. Used again for every step, it keeps its memory.
class step_answer {
public:
  /// Forgets the step before.
  void begin(const messages::StepPlan& plan);

  /// Adds a row, the next of the plan.
  row_answer& add_row();

  /// The step failed as a whole.
  void fail(messages::ErrorCode why, std::string because);

  row_answer& row(std::uint32_t index) { return rows_.at(index); }
  std::span<const row_answer> rows() const { return {rows_.data(), count_}; }
  std::uint64_t number() const { return number_; }
  step_times& times() { return times_; }

  /// The message of it all.
  /// @note allocates nothing once `pool` has a frame of that size.
  messages::frame<messages::StepResult>
  pack(messages::frame_pool<messages::StepResult>& pool);

private:
  using builder = flatbuffers::FlatBufferBuilder;
  template <class T>
  using offset = flatbuffers::Offset<T>;

  offset<messages::RowResult> pack_row(builder& to, const row_answer& row);
  offset<messages::TokenLogprob> pack_odds(builder& to, const row_answer& row,
                                           std::size_t index);

  std::uint32_t lane_ = 0;
  std::uint64_t number_ = 0;
  messages::ErrorCode code_ = messages::ErrorCode::none;
  std::string text_;
  step_times times_;
  std::vector<row_answer> rows_; // the first count_ are of this step
  std::size_t count_ = 0;

  // Of pack():
  std::vector<offset<messages::RowResult>> row_offsets_;
  std::vector<offset<messages::TokenLogprob>> odds_offsets_;
  std::vector<offset<messages::TopLogprob>> top_offsets_;
};

} // namespace sluice
