// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/gpu/gpu_kernels.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "kernels/check.hpp"
#include "kernels/cuda/probe.hpp"
#include "tools/bench/gpu/attention_data.hpp"
#include "tools/bench/gpu/layer_data.hpp"

namespace sluice::bench {
namespace {

constexpr std::uint64_t beyond_cache = 512u << 20;
constexpr int product_rounds = 4096;

/// One op: what a row of the report says of it, and how to start it.
struct gpu_case {
  op_case what;
  std::function<void(cuda::stream&)> start;
};

class gpu_bench {
public:
  gpu_bench(const gpu_kernel_plan& plan,
            const std::function<void(const kernel_row&)>& done)
      : plan_{plan}, done_{done}, facts_{find(plan.index)},
        buffer_{beyond_cache}, sink_{sizeof(std::uint32_t)} {
    stream_.fill(buffer_.data(), 0, buffer_.bytes());
    stream_.fill(sink_.data(), 0, sink_.bytes());
  }

  static cuda::device_facts find(int index) {
    for (const auto& device : cuda::devices())
      if (device.index == index) {
        cuda::use_device(index);
        return device;
      }
    throw contract_violation{"there is no GPU " + std::to_string(index) +
                             " that CUDA can use; see nvidia-smi"};
  }

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
    report_.limits = {.read = summarize(reads_),
                      .int8 = summarize(peaks_[peak_kind::int8]),
                      .bf16 = summarize(peaks_[peak_kind::bf16]),
                      .read_pattern = "all processors, 16 bytes a load",
                      .int8_instructions = "mma.sync m16n8k32",
                      .bf16_instructions = "mma.sync m16n8k16",
                      .buffer_bytes = beyond_cache};
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

  /// Seconds of one of `count` runs, by the device's clock.
  template <class Start>
  double time(const Start& start, int count) {
    begin_.record(stream_);
    for (int i = 0; i < count; ++i)
      start(stream_);
    end_.record(stream_);
    end_.wait();
    return end_.seconds_since(begin_) / count;
  }

  moment measure_limits(peak_kind peak) {
    auto* sink = reinterpret_cast<std::uint32_t*>(sink_.data());
    moment now;
    now.read =
        static_cast<double>(buffer_.bytes()) /
        time(
            [&](cuda::stream& in) {
              cuda::read_probe(buffer_.data(), buffer_.bytes(), sink, in);
            },
            4);
    reads_.push_back(now.read);
    double operations = 0;
    const auto kind = peak == peak_kind::int8 ? cuda::product_kind::int8
                                              : cuda::product_kind::bf16;
    const auto seconds = time(
        [&](cuda::stream& in) {
          operations = cuda::product_probe(kind, facts_.processors,
                                           product_rounds, sink, in);
        },
        2);
    now.operations = operations / seconds;
    peaks_[peak].push_back(now.operations);
    return now;
  }

  void measure(gpu_case what) {
    const auto once = std::min(time(what.start, 1), time(what.start, 1));
    const auto runs = static_cast<int>(
        std::clamp(plan_.kernels.seconds / std::max(once, 1e-7), 1.0, 1e4));
    std::vector<double> seconds;
    std::vector<double> parts;
    bool by_memory = true;
    for (int round = 0; round < plan_.kernels.rounds; ++round) {
      const auto before = measure_limits(what.what.peak);
      seconds.push_back(time(what.start, runs));
      const auto after = measure_limits(what.what.peak);
      const auto least = least_time(what.what, (before.read + after.read) / 2,
                                    (before.operations + after.operations) / 2);
      parts.push_back(least.seconds / seconds.back());
      by_memory = least.by_memory;
    }
    report_.rows.push_back(
        {what.what, summarize(seconds), summarize(parts),
         by_memory ? "memory" : std::string{name(what.what.peak)}});
    done_(report_.rows.back());
  }

  void matmul(dtype type) {
    const auto& shape = plan_.kernels.choice.shape;
    layer_weights_on_gpu weights{shape, type, beyond_cache, stream_};
    for (const auto rows : plan_.kernels.choice.rows) {
      const layer_activations data{shape, rows, weights.operand(), stream_};
      measure(
          {{.op = "matmul",
            .type = std::string{name(type)},
            .layout = "tiles",
            .shape = "layer",
            .m = rows,
            .bytes = weights.bytes(),
            .operations = 2 * weights.elements() * static_cast<double>(rows),
            .peak = weights.operand() == dtype::i8 ? peak_kind::int8
                                                   : peak_kind::bf16},
           [&](cuda::stream& in) {
             multiply_layer(weights.next(), data, cuda::determinism::strict,
                            in);
           }});
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
                                stream_};
    measure({{.op = "paged_attention",
              .type = std::string{name(cache_type)},
              .shape = phase + std::string{" "} + std::to_string(size.context),
              .m = size.sequences * size.rows_each,
              .bytes = data.bytes(),
              .operations = data.operations(),
              .peak = peak_kind::bf16},
             [&](cuda::stream& in) { data.run(in); }});
  }

  const gpu_kernel_plan& plan_;
  const std::function<void(const kernel_row&)>& done_;
  cuda::device_facts facts_;
  cuda::stream stream_;
  cuda::event begin_;
  cuda::event end_;
  cuda::device_memory buffer_;
  cuda::device_memory sink_;
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
  return gpu_bench::find(index).name;
}

} // namespace sluice::bench
