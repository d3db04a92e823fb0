// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/engine_bench.hpp"

#include <algorithm>
#include <chrono>

namespace sluice::bench {
namespace {

using clock = std::chrono::steady_clock;

constexpr std::uint32_t short_prompt = 16; // before decoding

double seconds_since(clock::time_point began) {
  return std::chrono::duration<double>{clock::now() - began}.count();
}

driver_options options_for(const plan& what) {
  const auto longest =
      *std::max_element(what.prompts.begin(), what.prompts.end());
  const auto widest =
      *std::max_element(what.batches.begin(), what.batches.end());
  return {.model = what.model,
          .threads = what.threads,
          .sequences = widest,
          .tokens_each = std::max(longest, short_prompt + what.steps + 1),
          .step_tokens = std::max(longest, widest * short_prompt)};
}

} // namespace

engine_bench::engine_bench(const plan& what, const progress_fn& progress)
    : what_{what}, driver_{options_for(what), progress} {}

prompt_speed engine_bench::prompt(std::uint32_t tokens) {
  tokens = std::min(tokens, driver_.tokens_each());
  const auto began = clock::now();
  driver_.prompts(1, tokens);
  const auto seconds = seconds_since(began);
  return {tokens, seconds, tokens / seconds};
}

decode_speed engine_bench::decode(std::uint32_t batch) {
  const auto prompt = std::min(short_prompt, driver_.tokens_each() / 2);
  driver_.prompts(batch, prompt);
  const auto most = std::min(what_.steps, driver_.tokens_each() - prompt);
  const auto began = clock::now();
  std::uint32_t steps = 0;
  while (steps < most && (steps < 2 || seconds_since(began) < what_.seconds)) {
    driver_.decode();
    ++steps;
  }
  driver_.settle();
  const auto seconds = seconds_since(began);
  return {batch, steps, seconds, batch * steps / seconds};
}

} // namespace sluice::bench
