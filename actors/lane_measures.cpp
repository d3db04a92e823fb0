// SPDX-License-Identifier: Apache-2.0
#include "actors/lane_measures.hpp"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

#include "actors/metric_names.hpp"
#include "messages/error_code.hpp"

namespace sluice::actors {
namespace {

template <class Count>
double from_us(Count microseconds) {
  return static_cast<double>(microseconds) * 1e-6;
}

double from_ns(std::uint64_t nanoseconds) {
  return static_cast<double>(nanoseconds) * 1e-9;
}

} // namespace

void lane_measures::add(metric_kind kind, const char* name, double value) {
  samples_.samples.push_back({name, kind, value, {}});
}

void lane_measures::add_pages(const messages::PageCounts& counts) {
  const auto pages = [this](const char* state, std::uint32_t count) {
    samples_.samples.push_back({metric::kv_pages, metric_kind::gauge,
                                static_cast<double>(count),
                                std::string{"state=\""} + state + "\""});
  };
  pages("free", counts.free());
  pages("active", counts.active());
  pages("cached", counts.cached());
  pages("pinned", counts.pinned());
  pages("in_flight", counts.in_flight());
  pages("swapped", counts.swapped());
  const auto set = [this](const char* name, std::uint64_t value) {
    add(metric_kind::gauge, name, static_cast<double>(value));
  };
  set(metric::kv_waste_tokens, counts.waste_tokens());
  set(metric::prefix_hit_tokens, counts.hit_tokens());
  set(metric::prefix_missed_tokens, counts.missed_tokens());
  set(metric::kv_evictions, counts.evictions());
  set(metric::kv_copies, counts.copies());
  set(metric::kv_swapped_out, counts.swapped_out());
  set(metric::kv_swapped_in, counts.swapped_in());
  set(metric::preemptions, counts.preemptions());
  set(metric::refused_pins, counts.refused_pins());
}

void lane_measures::granted(const messages::PageGrant& grant, time_point now,
                            std::uint32_t outside) {
  constexpr std::chrono::milliseconds interval{20};
  const auto* counts = grant.counts();
  most_waste_ = std::max(most_waste_, grant.most_waste_tokens());
  if (counts && (now - last_counts_ >= interval || counts->active() == 0)) {
    last_counts_ = now;
    add_pages(*counts);
    add(metric_kind::gauge, metric::outside, outside);
    add(metric_kind::gauge, metric::kv_waste_most,
        std::exchange(most_waste_, 0));
  }
  add(metric_kind::gauge, metric::kv_pages_free, grant.free_pages());
  if (grant.lost() && grant.lost()->size() > 0)
    add(metric_kind::counter, metric::ledger_discrepancies,
        grant.lost()->size());
}

void lane_measures::finished(const messages::StepResult& result, time_point now,
                             bool more_plans) {
  // A step that waited for requests says nothing of what a step costs.
  if (pipeline_was_busy_)
    add_times(result, now);
  add(metric_kind::histogram, metric::step_rows,
      result.rows() ? result.rows()->size() : 0);
  ++steps_;
  last_result_ = now;
  pipeline_was_busy_ = more_plans;
}

void lane_measures::add_times(const messages::StepResult& result,
                              time_point now) {
  using seconds = std::chrono::duration<double>;
  constexpr auto histogram = metric_kind::histogram;
  const auto compute = from_us(result.compute_us());
  const auto kernels = from_ns(result.kernels_ns());
  const auto sampling = from_ns(result.sampling_ns());
  add(histogram, metric::step_seconds, seconds{now - last_result_}.count());
  add(histogram, metric::step_compute_seconds, compute);
  add(histogram, metric::step_kernel_seconds, kernels);
  add(histogram, metric::step_sampling_seconds, sampling);
  add(histogram, metric::step_idle_seconds, from_ns(result.idle_ns()));
  add(histogram, metric::step_overhead_seconds,
      from_ns(result.idle_ns()) + std::max(0.0, compute - kernels));
}

void lane_measures::predicted(const policy::step_timing& timing, double error) {
  using seconds = std::chrono::duration<double>;
  if (pipeline_was_busy_) // as the times that it is compared with
    add(metric_kind::histogram, metric::step_predicted_seconds,
        seconds{timing.predicted}.count());
  add(metric_kind::gauge, metric::step_prediction_error, error);
}

void lane_measures::cancelled_pages_free(time_point::duration took) {
  using seconds = std::chrono::duration<double>;
  add(metric_kind::histogram, metric::cancel_free_seconds,
      seconds{took}.count());
}

void lane_measures::left(messages::ErrorCode code,
                         const messages::ReceiptT& used) {
  samples_.samples.push_back(
      {metric::requests, metric_kind::counter, 1,
       "outcome=\"" + std::string{messages::to_string(code)} + "\""});
  add(metric_kind::counter, metric::prompt_tokens, used.prompt_tokens);
  add(metric_kind::counter, metric::generated_tokens, used.generated_tokens);
  add(metric_kind::counter, metric::scored_tokens, used.scored_tokens);
  add(metric_kind::histogram, metric::queue_seconds, from_us(used.queue_us));
  add(metric_kind::histogram, metric::request_seconds, from_us(used.total_us));
  if (used.first_token_us > 0)
    add(metric_kind::histogram, metric::first_token_seconds,
        from_us(used.first_token_us));
}

} // namespace sluice::actors
