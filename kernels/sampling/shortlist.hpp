// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/sampling/row_passes.hpp"
#include "kernels/sampling/steps.hpp"

#include <optional>

namespace sluice {

/// Where a shortlist is made.
struct shortlist_memory {
  candidate_list room;    // [vocabulary]
  std::span<float> order; // [logit_blocks(vocabulary)]
};

/// What the filters keep of a row, found by listing the logits above a
/// threshold alone. Compares what it found with the threshold, and gives up
/// where a token below it might belong to the result.
/// @param params  with one filter at least.
/// @return the very candidates, in the same order and bits, that the filters
///         make of the whole row; nothing if that cannot be told.
std::optional<candidate_list> shortlist(const surveyed_row& row,
                                        const sampling_params& params,
                                        const row_passes& passes,
                                        const shortlist_memory& memory);

} // namespace sluice
