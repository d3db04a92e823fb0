// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/kernels/cases.hpp"
#include "tools/bench/kernels/float_buffer.hpp"

namespace sluice::bench {
namespace {

constexpr std::int64_t rows = 32;
constexpr std::int64_t vocabularies[] = {32'000, 128'256};

struct way_to_draw {
  const char* name;
  sampling_params params;
};

constexpr way_to_draw ways[] = {
    {"greedy", {.temperature = 0}},
    {"top-p", {.temperature = 0.8f, .top_p = 0.95f}},
};

} // namespace

void sample_cases(const kernels_under_test& under, const take_case& take) {
  for (const auto vocabulary : vocabularies) {
    float_buffer logits{rows, vocabulary, beyond_caches()};
    mapping workspaces{rows * sample_workspace_bytes(vocabulary),
                       "benchmark workspaces"};
    for (const auto& way : ways)
      take({.op = "sample",
            .type = "f32",
            .shape = std::string{way.name} + " " + std::to_string(vocabulary),
            .m = rows,
            .bytes = static_cast<double>(rows * vocabulary) * sizeof(float),
            .run = [&] {
              call_sample(under, logits.next(), way.params,
                          {workspaces.data(), workspaces.bytes()});
            }});
  }
}

} // namespace sluice::bench
