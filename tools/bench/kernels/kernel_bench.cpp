// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/kernels/kernel_bench.hpp"

#include <algorithm>
#include <chrono>
#include <map>

#include "kernels/check.hpp"
#include "kernels/select.hpp"

namespace sluice::bench {
namespace {

using clock = std::chrono::steady_clock;

/// The limits at one moment.
struct moment {
  double read = 0;
  double operations = 0; // of the peak that an op uses
};

double mean_of(double before, double after) {
  return (before + after) / 2;
}

class kernel_bench {
public:
  kernel_bench(const kernel_plan& plan,
               const std::function<void(const kernel_row&)>& done)
      : plan_{plan}, done_{done}, pool_{thread_pool_config{
                                      .threads = plan.threads, .pin = true}},
        limits_{(pool_.pin_caller(), plan.isa), pool_}, under_{select(plan.isa),
                                                               pool_} {}

  kernel_report run() {
    take_all();
    report_.limits = {summarize(reads_),
                      summarize(peaks_[peak_kind::int8]),
                      summarize(peaks_[peak_kind::bf16]),
                      summarize(peaks_[peak_kind::f32]),
                      limits_.pattern(),
                      std::string{limits_.instructions(peak_kind::int8)},
                      std::string{limits_.instructions(peak_kind::bf16)},
                      std::string{limits_.instructions(peak_kind::f32)},
                      limits_.buffer_bytes()};
    return std::move(report_);
  }

private:
  void take_all();
  bool wanted(const char* op) const {
    return plan_.ops.empty() ||
           std::find(plan_.ops.begin(), plan_.ops.end(), op) != plan_.ops.end();
  }
  template <class Cases>
  void for_each_type(const std::vector<dtype>& types, Cases cases);
  moment measure_limits(peak_kind peak);
  double time(const op_case& what, int runs) const;
  int runs_per_sample(const op_case& what) const;
  double run_round(const op_case& what, int runs) const;
  void measure(const op_case& what);

  const kernel_plan& plan_;
  const std::function<void(const kernel_row&)>& done_;
  thread_pool pool_;
  roofline limits_;
  kernels_under_test under_;
  kernel_report report_;
  std::vector<double> reads_;
  std::map<peak_kind, std::vector<double>> peaks_;
};

void kernel_bench::take_all() {
  for (const auto peak : {peak_kind::int8, peak_kind::bf16, peak_kind::f32})
    for (int i = 0; i < plan_.rounds; ++i)
      measure_limits(peak);
  const auto take = [this](const op_case& what) { measure(what); };
  if (wanted("matmul"))
    for_each_type(plan_.types, [&](dtype type) {
      matmul_cases(under_, plan_.choice, type, take);
    });
  if (wanted("paged_attention"))
    for_each_type(plan_.cache_types, [&](dtype type) {
      attention_cases(under_, plan_.choice, type, take);
    });
  if (wanted("rms_norm"))
    norm_cases(under_, plan_.choice, take);
  if (wanted("swiglu"))
    swiglu_cases(under_, plan_.choice, take);
  if (wanted("rope_store_kv"))
    rope_cases(under_, plan_.choice, take);
  if (wanted("sample"))
    sample_cases(under_, take);
}

template <class Cases>
void kernel_bench::for_each_type(const std::vector<dtype>& types, Cases cases) {
  for (const auto type : types)
    try {
      cases(type);
    } catch (const contract_violation&) {
      if (!plan_.skip_unsupported)
        throw;
    }
}

moment kernel_bench::measure_limits(peak_kind peak) {
  moment now;
  now.read = limits_.read_bytes_per_second();
  reads_.push_back(now.read);
  if (peak == peak_kind::none || limits_.supported(peak) != peak)
    return now;
  now.operations = limits_.operations_per_second(peak);
  peaks_[peak].push_back(now.operations);
  return now;
}

/// Seconds of one run, as the mean of some.
double kernel_bench::time(const op_case& what, int runs) const {
  const auto began = clock::now();
  for (int i = 0; i < runs; ++i)
    what.run();
  return std::chrono::duration<double>{clock::now() - began}.count() / runs;
}

/// Long enough for the clock, short enough to leave most of them alone.
int kernel_bench::runs_per_sample(const op_case& what) const {
  constexpr double sample_seconds = 0.0005;
  const auto once = std::min(time(what, 1), time(what, 1)); // warms up, too
  return static_cast<int>(std::clamp(sample_seconds / once, 1.0, 1e5));
}

/// The median of samples that fill the round.
double kernel_bench::run_round(const op_case& what, int runs) const {
  std::vector<double> samples;
  const auto began = clock::now();
  const std::chrono::duration<double> length{plan_.seconds};
  do
    samples.push_back(time(what, runs));
  while (clock::now() - began < length);
  return summarize(samples).median;
}

void kernel_bench::measure(const op_case& given) {
  auto what = given;
  what.peak = limits_.supported(given.peak);
  const int runs = runs_per_sample(what);
  std::vector<double> times, parts;
  int by_memory = 0;
  auto before = measure_limits(what.peak);
  for (int round = 0; round < plan_.rounds; ++round) {
    const auto seconds = run_round(what, runs);
    const auto after = measure_limits(what.peak);
    const auto least = least_time(what, mean_of(before.read, after.read),
                                  mean_of(before.operations, after.operations));
    times.push_back(seconds);
    parts.push_back(least.seconds / seconds);
    by_memory += least.by_memory ? 1 : 0;
    before = after;
  }
  what.run = {};
  report_.rows.push_back(
      {what,
       summarize(times),
       summarize(parts),
       2 * by_memory > plan_.rounds ? "memory" : std::string{name(what.peak)},
       {}});
  done_(report_.rows.back());
}

} // namespace

std::uint64_t beyond_caches() {
  constexpr std::uint64_t most = 1ull << 30; // of a host's cache, some GB
  return std::min(4 * last_cache_bytes(), most);
}

limit least_time(const op_case& what, double read_bytes_per_second,
                 double operations_per_second) {
  const auto memory = what.bytes / read_bytes_per_second;
  const auto compute =
      operations_per_second > 0 ? what.operations / operations_per_second : 0;
  return memory >= compute ? limit{memory, true} : limit{compute, false};
}

std::vector<std::string> op_names() {
  return {"matmul", "paged_attention", "rms_norm",
          "swiglu", "rope_store_kv",   "sample"};
}

kernel_report
measure_kernels(const kernel_plan& plan,
                const std::function<void(const kernel_row&)>& done) {
  return kernel_bench{plan, done}.run();
}

} // namespace sluice::bench
