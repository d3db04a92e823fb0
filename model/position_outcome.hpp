// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/sampling.hpp"
#include "model/lane_batch.hpp"
#include "model/step_answer.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace sluice {

/// What sampling or scoring gave at one position.
struct position_outcome {
  sampled result; // of a sampled position
  scored score;   // of a scored one
  std::vector<token_logprob> top;
  std::string error; // of a contract that the op found broken
};

/// Adds it to the answer of its row: a token with its log-probabilities, a
/// score, or why the row failed.
/// @param wanted  index among the step's wanted positions, one of the row's.
void add_outcome(row_answer& answer, const batch_row& row, std::uint32_t wanted,
                 const position_outcome& from);

} // namespace sluice
