// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

namespace sluice::messages {

/// How large an untrusted frame and its parts may be. Every field is an option
/// of the configuration (`limits.*`).
struct frame_limits {
  std::size_t max_frame_bytes = 16u << 20; // one control frame
  std::uint32_t max_depth = 16;            // nested tables
  std::uint32_t max_tables = 4096;         // tables in one frame
  std::uint32_t max_prompt_bytes = 8u << 20;
  std::uint32_t max_prompt_tokens = 1u << 20;
  std::uint32_t max_sequences = 16; // n, best_of or beams of a request
  std::uint32_t max_logprobs = 20;  // alternatives per token
  std::uint32_t max_stop_strings = 16;
  std::uint32_t max_stop_bytes = 256; // of one stop string
  std::uint32_t max_stop_tokens = 64;
  std::uint32_t max_logit_bias = 1024;
  std::uint32_t max_name_bytes = 128; // tenant, model, client names
  std::uint32_t max_messages = 1024;  // of a chat
};

} // namespace sluice::messages
