// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/gpu/gpu_probe.hpp"

#include "kernels/check.hpp"
#include "tools/bench/gpu/gpu_limits.hpp"
#include "tools/bench/statistics.hpp"

#include <string>
#include <vector>

namespace sluice::bench {
namespace {

constexpr std::uint64_t beyond_cache = 512u << 20;
constexpr int product_rounds = 4096;

} // namespace

cuda::device_facts gpu_at(int index) {
  for (const auto& device : cuda::devices())
    if (device.index == index) {
      cuda::use_device(index);
      return device;
    }
  throw contract_violation{"there is no GPU " + std::to_string(index) +
                           " that CUDA can use; see nvidia-smi"};
}

gpu_probe::gpu_probe(int index)
    : facts_{gpu_at(index)}, buffer_{beyond_cache}, sink_{
                                                        sizeof(std::uint32_t)} {
  stream_.fill(buffer_.data(), 0, buffer_.bytes());
  stream_.fill(sink_.data(), 0, sink_.bytes());
}

double gpu_probe::read_bytes_per_second() {
  auto* sink = reinterpret_cast<std::uint32_t*>(sink_.data());
  const auto read = [&](cuda::stream& in) {
    cuda::read_probe(buffer_.data(), buffer_.bytes(), sink, in);
  };
  return static_cast<double>(buffer_.bytes()) / time(read, 4);
}

double gpu_probe::operations_per_second(cuda::product_kind kind) {
  auto* sink = reinterpret_cast<std::uint32_t*>(sink_.data());
  double operations = 0;
  const auto multiply = [&](cuda::stream& in) {
    operations =
        cuda::product_probe(kind, facts_.processors, product_rounds, sink, in);
  };
  const auto seconds = time(multiply, 2);
  return operations / seconds;
}

gpu_limits measure_gpu_limits(int index) {
  constexpr int rounds = 9;
  gpu_probe probe{index};
  std::vector<double> read, bf16, int8;
  for (int i = 0; i < rounds; ++i) {
    read.push_back(probe.read_bytes_per_second());
    bf16.push_back(probe.operations_per_second(cuda::product_kind::bf16));
    int8.push_back(probe.operations_per_second(cuda::product_kind::int8));
  }
  return {summarize(read).median, summarize(bf16).median,
          summarize(int8).median};
}

} // namespace sluice::bench
