// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "messages/stream_generated.h"

namespace sluice {

class tokenizer;

/// What a client sees of scored tokens: the scores, each with the token's
/// bytes.
/// @param scores  of one row of a plan.
std::unique_ptr<messages::DeltaT>
scored_delta(const messages::TokenScores& scores, const tokenizer& text);

} // namespace sluice
