// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/batch_bench.hpp"

#include <algorithm>
#include <chrono>

#include "kernels/check.hpp"
#include "tools/bench/engine_driver.hpp"

namespace sluice::bench {
namespace {

using clock = std::chrono::steady_clock;

double seconds_since(clock::time_point began) {
  return std::chrono::duration<double>{clock::now() - began}.count();
}

/// Seconds of the rounds of one batch size.
struct timings {
  std::vector<double> prompts;
  std::vector<double> decodes; // as if none had stopped early
  std::vector<double> idles;   // parts of them between two steps
  std::uint32_t steps = 0;     // the fewest that a round did
};

void measure(engine_driver& driver, const batch_plan& plan, std::uint32_t batch,
             timings& into) {
  auto began = clock::now();
  driver.prompts(batch, plan.prompt_tokens);
  into.prompts.push_back(seconds_since(began));
  driver.take_idle_seconds();
  began = clock::now();
  std::uint32_t steps = 0;
  do
    driver.decode();
  while (++steps < plan.decode_tokens &&
         (plan.seconds <= 0 || seconds_since(began) < plan.seconds));
  driver.settle();
  const auto seconds = seconds_since(began);
  into.decodes.push_back(seconds / steps);
  into.idles.push_back(driver.take_idle_seconds() / seconds);
  into.steps = into.steps == 0 ? steps : std::min(into.steps, steps);
}

batch_row row_of(const batch_plan& plan, std::uint32_t batch,
                 const timings& times, const step_work& work,
                 const std::optional<gpu_limits>& limits) {
  auto decodes = times.decodes;
  for (auto& seconds : decodes)
    seconds *= times.steps;
  batch_row row{plan.prompt_tokens, times.steps, batch,
                summarize(times.prompts), summarize(decodes)};
  if (limits) {
    row.least_prompt_seconds =
        work.prompt_seconds(batch, plan.prompt_tokens, *limits);
    row.least_decode_seconds =
        work.decode_seconds(batch, plan.prompt_tokens, times.steps, *limits);
    row.idle_part = summarize(times.idles).median;
  }
  return row;
}

} // namespace

double batch_row::prompt_speed() const {
  return batch * prompt_tokens / prompt_seconds.median;
}

double batch_row::decode_speed() const {
  return batch * decode_tokens / decode_seconds.median;
}

double batch_row::total_seconds() const {
  return prompt_seconds.median + decode_seconds.median;
}

double batch_row::total_speed() const {
  return kv_tokens() / total_seconds();
}

double batch_row::prompt_part() const {
  return least_prompt_seconds / prompt_seconds.median;
}

double batch_row::decode_part() const {
  return least_decode_seconds / decode_seconds.median;
}

double batch_row::total_part() const {
  return (least_prompt_seconds + least_decode_seconds) / total_seconds();
}

double batch_row::output_speed() const {
  return batch * decode_tokens / total_seconds();
}

batch_report measure_batches(const batch_plan& plan, const progress_fn& loading,
                             const announce& measuring) {
  const auto widest =
      *std::max_element(plan.batches.begin(), plan.batches.end());
  const auto tokens = plan.prompt_tokens + plan.decode_tokens;
  std::optional<gpu_limits> limits;
  if (plan.gpu)
    limits = measure_gpu_limits(static_cast<int>(plan.gpu->index));
  engine_driver driver{{.model = plan.model,
                        .shape = plan.shape,
                        .isa = plan.isa,
                        .gpu = plan.gpu,
                        .weight_type = plan.weight_type,
                        .kv_type = plan.kv_type,
                        .threads = plan.threads,
                        .sequences = widest,
                        .tokens_each = tokens,
                        .step_tokens = plan.step_tokens},
                       loading};
  require(driver.tokens_each() == tokens,
          "bench batch: prompt and decode tokens exceed the model's context; "
          "give a smaller --pp or --tg");
  driver.prompts(1, std::min(16u, plan.prompt_tokens)); // wakes threads
  std::vector<timings> times(plan.batches.size());
  for (int round = 0; round < plan.rounds; ++round)
    for (std::size_t i = 0; i < times.size(); ++i) {
      measuring("batch " + std::to_string(plan.batches[i]) + ", round " +
                std::to_string(round + 1) + " of " +
                std::to_string(plan.rounds));
      measure(driver, plan, plan.batches[i], times[i]);
    }
  batch_report report{driver.facts(), limits, {}};
  for (std::size_t i = 0; i < times.size(); ++i)
    report.rows.push_back(
        row_of(plan, plan.batches[i], times[i], driver.work(), limits));
  return report;
}

} // namespace sluice::bench
