// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/serve/workload.hpp"

#include <random>

namespace sluice::bench {
namespace {

/// Ids from the middle of a vocabulary: special tokens are at its ends.
class prompt_source {
public:
  prompt_source(std::uint32_t vocabulary, std::uint64_t seed)
      : random_{seed}, ids_{vocabulary / 8, vocabulary - vocabulary / 8 - 1} {}

  void append(std::vector<std::uint32_t>& prompt, std::uint32_t tokens) {
    for (std::uint32_t i = 0; i < tokens; ++i)
      prompt.push_back(ids_(random_));
  }

private:
  std::mt19937_64 random_;
  std::uniform_int_distribution<std::uint32_t> ids_;
};

} // namespace

std::vector<planned_request> make_workload(const random_workload& what,
                                           std::uint32_t vocabulary) {
  prompt_source source{vocabulary, what.arrivals.seed};
  std::vector<std::uint32_t> prefix;
  source.append(prefix, what.prefix_tokens);
  std::vector<planned_request> requests;
  for (const auto at : arrival_times(what.arrivals, what.requests)) {
    requests.push_back({at, prefix, what.output_tokens});
    source.append(requests.back().prompt, what.input_tokens);
  }
  return requests;
}

std::vector<planned_request>
make_workload(const std::vector<trace_entry>& trace, std::uint32_t vocabulary,
              std::uint64_t seed) {
  prompt_source source{vocabulary, seed};
  std::vector<planned_request> requests;
  for (const auto& entry : trace) {
    requests.push_back({entry.at, entry.prompt, entry.output_tokens});
    if (entry.prompt.empty())
      source.append(requests.back().prompt, entry.input_tokens);
    for (const auto id : requests.back().prompt)
      if (id >= vocabulary)
        throw trace_error{"the trace has token " + std::to_string(id) +
                          ", but the model's vocabulary only " +
                          std::to_string(vocabulary)};
  }
  return requests;
}

} // namespace sluice::bench
