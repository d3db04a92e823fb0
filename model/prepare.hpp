// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "messages/control_generated.h"
#include "messages/lane_generated.h"

namespace sluice {

class tokenizer;

/// What preparing a request must know of a lane.
struct lane_profile {
  std::uint32_t lane = 0;
  std::string model;
  std::uint32_t context = 0; // tokens
  std::uint32_t vocab = 0;
  std::vector<std::uint32_t> eos; // any of these ends a sequence
  std::shared_ptr<const tokenizer> text;
  std::uint32_t max_prompt_logprobs = 1u << 20; // of a request, with those of
                                                // the alternatives
};

/// Resolves a submitted request: finds its lane, turns its prompt into tokens,
/// fills in defaults, refuses what this version does not offer.
/// @param request    the daemon's number of it.
/// @param submit     passed the semantic check.
/// @param lanes      the first is the default; not empty.
/// @param make_seed  called once if the request has no seed.
/// @return work with code none, or a code and a text with the remedy.
messages::PreparedT prepare(std::uint64_t request,
                            const messages::Submit& submit,
                            const std::vector<lane_profile>& lanes,
                            const std::function<std::uint64_t()>& make_seed);

} // namespace sluice
