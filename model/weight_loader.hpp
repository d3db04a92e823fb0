// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/weight_plan.hpp"

namespace sluice {

/// Reads, converts and packs every weight of a plan into its place, chunk by
/// chunk in the order of the files, on `options.threads` threads. What is held
/// besides the weights is one chunk a thread.
/// @param memory  plan.bytes bytes, zero, 64-byte aligned.
/// @throws model_error as load_weights(); the error of the first chunk that
///         failed, in file order.
void fill_weights(const checkpoint& model, const weight_plan& plan,
                  const load_options& options, std::byte* memory);

} // namespace sluice
