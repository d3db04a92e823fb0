// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/gpu/noise.hpp"

#include "model/random_weights.hpp"

#include <algorithm>
#include <vector>

namespace sluice::bench {
namespace {

constexpr std::uint64_t host_bytes = 1u << 20; // the rest repeats them

// Each copy doubles what is there.
void spread(std::byte* at, std::uint64_t done, std::uint64_t bytes,
            cuda::stream& in) {
  for (; done < bytes; done += std::min(done, bytes - done))
    in.copy(at + done, at, std::min(done, bytes - done));
}

} // namespace

void fill_with_noise(std::byte* at, std::uint64_t bytes, dtype type,
                     float deviation, cuda::stream& in) {
  std::vector<std::byte> host(std::min(bytes, host_bytes));
  random_weights{type, deviation, 1}.fill(host);
  in.copy(at, host.data(), host.size());
  in.wait(); // before the host's go
  spread(at, host.size(), bytes, in);
}

float noise_scale(dtype type, float deviation) {
  return type == dtype::i8        ? random_weights::i8_scale(deviation)
         : type == dtype::f8_e4m3 ? random_weights::f8_scale(deviation)
                                  : 1;
}

void fill_with(float value, float* at, std::uint64_t count, cuda::stream& in) {
  const std::vector<float> host(
      std::min<std::uint64_t>(count, host_bytes / sizeof value), value);
  in.copy(at, host.data(), host.size() * sizeof value);
  in.wait();
  spread(reinterpret_cast<std::byte*>(at), host.size() * sizeof value,
         count * sizeof value, in);
}

} // namespace sluice::bench
