// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "messages/control_generated.h"

namespace sluice::cli {

/// Sampling, stopping and scheduling of requests, as flags give them.
struct request_flags {
  messages::SamplingT sampling;
  messages::StopRulesT stopping;
  std::optional<std::uint64_t> seed;
  std::vector<std::string> logit_bias; // "id=value"
  std::string model;                   // name in the daemon; empty: the first
  std::uint32_t n = 1;
  std::uint32_t best_of = 0;
  messages::BeamSearchT beam;
  std::int32_t priority = 0;
  std::uint32_t deadline_ms = 0;
  std::uint32_t queue_timeout_ms = 0;
  bool parse_special = false;
};

/// Adds the flags to a command; filled when the command line is parsed.
std::shared_ptr<request_flags> add_request_flags(CLI::App& app);

/// Adds -n and what is chosen among more answers than are given.
/// @param flags  must outlive the parsing.
void add_choice_flags(CLI::App& app, request_flags& flags);

/// Adds those of them that say which model, when, and how a text is read.
/// @param flags  must outlive the parsing.
void add_scheduling_flags(CLI::App& app, request_flags& flags);

/// A request without a prompt.
/// @throws client::bad_request for a bad --logit-bias.
messages::SubmitT to_submit(const request_flags& flags);

} // namespace sluice::cli
