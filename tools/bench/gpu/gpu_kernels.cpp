// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/gpu/gpu_kernels.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "kernels/cuda/matmul_library.hpp"
#include "tools/bench/gpu/attention_data.hpp"
#include "tools/bench/gpu/gpu_probe.hpp"
#include "tools/bench/gpu/layer_data.hpp"
#include "tools/bench/gpu/page_data.hpp"

namespace sluice::bench {
namespace {

using start_op = std::function<void(cuda::stream&)>;

/// One op: what a row of the report says of it, and how to start it.
struct gpu_case {
  op_case what;
  start_op start;
  start_op fast; // the same in fast mode, if there is one
};

/// What the rounds of one case show.
struct round_times {
  std::vector<double> seconds;
  std::vector<double> parts;
  bool by_memory = true;
};

class gpu_bench {
public:
  gpu_bench(const gpu_kernel_plan& plan,
            const std::function<void(const kernel_row&)>& done)
      : plan_{plan}, done_{done}, probe_{plan.index} {}

  kernel_report run() {
    for (int i = 0; i < plan_.kernels.rounds; ++i)
      for (const auto peak : {peak_kind::bf16, peak_kind::int8})
        measure_limits(peak);
    if (wanted("matmul"))
      for (const auto type : plan_.kernels.types)
        matmul(type);
    if (wanted("paged_attention"))
      for (const auto type : plan_.kernels.cache_types)
        attention(type);
    if (wanted(op_of_gpus))
      for (const auto type : plan_.kernels.cache_types)
        page_moves(type);
    report_.limits = {.read = summarize(reads_),
                      .int8 = summarize(peaks_[peak_kind::int8]),
                      .bf16 = summarize(peaks_[peak_kind::bf16]),
                      .read_pattern = "all processors, 16 bytes a load",
                      .int8_instructions = "mma.sync m16n8k32",
                      .bf16_instructions = "mma.sync m16n8k16",
                      .buffer_bytes = probe_.buffer_bytes()};
    return std::move(report_);
  }

private:
  struct moment {
    double read = 0;
    double operations = 0;
  };

  bool wanted(const char* op) const {
    const auto& ops = plan_.kernels.ops;
    return ops.empty() || std::find(ops.begin(), ops.end(), op) != ops.end();
  }

  moment measure_limits(peak_kind peak) {
    const auto kind = peak == peak_kind::int8 ? cuda::product_kind::int8
                                              : cuda::product_kind::bf16;
    const moment now{probe_.read_bytes_per_second(),
                     probe_.operations_per_second(kind)};
    reads_.push_back(now.read);
    peaks_[peak].push_back(now.operations);
    return now;
  }

  int runs_of(const start_op& start) {
    const auto once =
        std::min(probe_.time(start, 1), probe_.time(start, 1)); // warms up, too
    return static_cast<int>(
        std::clamp(plan_.kernels.seconds / std::max(once, 1e-7), 1.0, 1e4));
  }

  void measure_round(const op_case& what, const start_op& start, int runs,
                     round_times& into) {
    const auto before = measure_limits(what.peak);
    into.seconds.push_back(probe_.time(start, runs));
    const auto after = measure_limits(what.peak);
    const auto least = least_time(what, (before.read + after.read) / 2,
                                  (before.operations + after.operations) / 2);
    into.parts.push_back(least.seconds / into.seconds.back());
    into.by_memory = least.by_memory;
  }

  // Both modes in turn, so that a drift of the clocks meets them alike.
  void measure(const gpu_case& one) {
    const auto runs = runs_of(one.start);
    const auto fast_runs = one.fast ? runs_of(one.fast) : 0;
    round_times strict, fast;
    std::vector<double> costs;
    for (int round = 0; round < plan_.kernels.rounds; ++round) {
      measure_round(one.what, one.start, runs, strict);
      if (!one.fast)
        continue;
      measure_round(one.what, one.fast, fast_runs, fast);
      costs.push_back(strict.seconds.back() / fast.seconds.back() - 1);
    }
    report(one.what, strict,
           one.fast ? std::optional{summarize(costs)} : std::nullopt);
    if (!one.fast)
      return;
    auto what = one.what;
    what.mode = "fast";
    report(what, fast, {});
  }

  void report(const op_case& what, const round_times& times,
              std::optional<summary> cost) {
    report_.rows.push_back(
        {what, summarize(times.seconds), summarize(times.parts),
         times.by_memory ? "memory" : std::string{name(what.peak)}, cost});
    done_(report_.rows.back());
  }

  void matmul(dtype type) {
    const auto& shape = plan_.kernels.choice.shape;
    layer_weights_on_gpu weights{shape, type, probe_.buffer_bytes(),
                                 probe_.stream()};
    for (const auto rows : plan_.kernels.choice.rows) {
      const layer_activations data{shape, rows, weights.operand(),
                                   probe_.stream()};
      const auto in_mode = [&](cuda::determinism mode) {
        return [&, mode](cuda::stream& in) {
          multiply_layer(weights.next(), data, mode, in);
        };
      };
      measure(
          {{.op = "matmul",
            .type = std::string{name(type)},
            .layout = "tiles",
            .shape = "layer",
            .m = rows,
            .bytes = weights.bytes(),
            .operations = 2 * weights.elements() * static_cast<double>(rows),
            // Hopper has no mma.sync of 8-bit floats: they go as f16.
            .peak = weights.operand() == dtype::i8 ? peak_kind::int8
                                                   : peak_kind::bf16},
           in_mode(cuda::determinism::strict),
           in_mode(cuda::determinism::fast)});
    }
  }

  void attention(dtype cache_type) {
    for (const auto context : {1024, 2048, 4096})
      attention_case(cache_type, {64, context, 1}, "decode");
    for (const auto context : {1024, 8192})
      attention_case(cache_type, {1, context, context}, "prompt");
  }

  void attention_case(dtype cache_type, const attention_on_gpu::size& size,
                      const char* phase) {
    const attention_on_gpu data{plan_.kernels.choice.shape, cache_type, size,
                                probe_.stream()};
    measure({{.op = "paged_attention",
              .type = std::string{name(cache_type)},
              .shape = phase + std::string{" "} + std::to_string(size.context),
              .m = size.sequences * size.rows_each,
              .bytes = data.bytes(),
              .operations = data.operations(),
              .peak = peak_kind::bf16},
             [&](cuda::stream& in) { data.run(in); },
             {}});
  }

  // What crosses to the host has the device's memory as its limit here, too,
  // and so a small part of it.
  void page_moves(dtype cache_type) {
    using cuda::page_route;
    const pages_on_gpu data{plan_.kernels.choice.shape, cache_type,
                            probe_.stream()};
    const auto measure_way = [&](const char* way, double times,
                                 start_op start) {
      measure({{.op = op_of_gpus,
                .type = std::string{name(cache_type)},
                .shape = way,
                .m = data.moved(),
                .bytes = times * data.moved_bytes()},
               std::move(start),
               {}});
    };
    using kind = std::pair<const char*, page_route>;
    for (const auto& [way, route] :
         {kind{"page to page", page_route::within_cache},
          kind{"page to slot", page_route::to_slots},
          kind{"slot to page", page_route::from_slots}})
      measure_way(
          way, 2, // read and written
          [&data, route = route](cuda::stream& in) { data.move(route, in); });
    measure_way("slot to host", 1, [&](cuda::stream& in) { data.to_host(in); });
    measure_way("host to slot", 1,
                [&](cuda::stream& in) { data.from_host(in); });
  }

  const gpu_kernel_plan& plan_;
  const std::function<void(const kernel_row&)>& done_;
  gpu_probe probe_;
  kernel_report report_;
  std::vector<double> reads_;
  std::map<peak_kind, std::vector<double>> peaks_;
};

} // namespace

kernel_report
measure_gpu_kernels(const gpu_kernel_plan& plan,
                    const std::function<void(const kernel_row&)>& done) {
  return gpu_bench{plan, done}.run();
}

std::string gpu_name(int index) {
  return gpu_at(index).name;
}

std::string gpu_library() {
  return cuda::library_name();
}

} // namespace sluice::bench
