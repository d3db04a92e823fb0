// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/roofline/roofline.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <fstream>
#include <vector>

#include "kernels/select.hpp"
#include "tools/bench/statistics.hpp"

namespace sluice::bench {
namespace {

using clock = std::chrono::steady_clock;

constexpr std::size_t tile_bytes = 1 << 20;
constexpr std::uint64_t least_buffer_bytes = 512ull << 20;
// Each speed is the median of so many short ones: what else the machine does
// now and then for milliseconds is no limit of it.
constexpr int slices = 8;
constexpr int compute_tiles_per_thread = 16; // so that a slow one is evened out
constexpr std::int64_t turns_per_tile = 10'000; // about 20 us

constexpr read_pattern patterns[] = {{1, 0},    {1, 512},  {1, 1024},
                                     {1, 2048}, {1, 4096}, {4, 0},
                                     {4, 512},  {4, 1024}, {4, 2048}};

std::atomic<std::uint64_t> sink; // where the probes' values go

double seconds_since(clock::time_point began) {
  return std::chrono::duration<double>{clock::now() - began}.count();
}

const op_table& checked(instruction_set isa) {
  return select(isa);
}

std::uint64_t whole_slices(std::uint64_t bytes) {
  constexpr std::uint64_t unit = slices * tile_bytes;
  return (bytes + unit - 1) / unit * unit;
}

} // namespace

std::string_view name(peak_kind kind) {
  switch (kind) {
  case peak_kind::int8:
    return "int8";
  case peak_kind::bf16:
    return "bf16";
  case peak_kind::f32:
    return "f32";
  default:
    return "none";
  }
}

std::uint64_t last_cache_bytes() {
  // Not sysconf: in a virtual machine it adds up the caches of the whole host.
  constexpr std::uint64_t usual = 32ull << 20;
  for (const char* index : {"index4", "index3", "index2"}) {
    std::ifstream file{"/sys/devices/system/cpu/cpu0/cache/" +
                       std::string{index} + "/size"};
    if (std::uint64_t kibibytes = 0; file >> kibibytes)
      return kibibytes << 10;
  }
  return usual;
}

roofline::roofline(instruction_set isa, thread_pool& pool,
                   std::uint64_t most_bytes)
    : probes_{probes_for(checked(isa).isa)}, pool_{pool},
      buffer_{whole_slices(std::min(most_bytes,
                                    std::max(least_buffer_bytes,
                                             2 * slices * last_cache_bytes()))),
              "roofline"} {
  // Written by the threads that read it, so that all of it is there, and none
  // of it is the system's one page of zeros.
  pool_.parallel_for(static_cast<std::int64_t>(buffer_.bytes() / tile_bytes),
                     [&](std::int64_t tile) {
                       std::memset(buffer_.data() + tile * tile_bytes, 1,
                                   tile_bytes);
                     });
  choose_pattern();
}

double roofline::read_bytes_per_second() {
  return read_with(pattern_);
}

double roofline::read_with(read_pattern pattern) {
  const auto tiles =
      static_cast<std::int64_t>(buffer_.bytes() / tile_bytes / slices);
  std::vector<double> speeds;
  for (int slice = 0; slice < slices; ++slice) {
    const auto* data = buffer_.data() + slice * tiles * tile_bytes;
    const auto began = clock::now();
    pool_.parallel_for(tiles, [&](std::int64_t tile) {
      sink.fetch_xor(
          probes_.read(data + tile * tile_bytes, tile_bytes, pattern),
          std::memory_order_relaxed);
    });
    speeds.push_back(static_cast<double>(tiles) * tile_bytes /
                     seconds_since(began));
  }
  return summarize(speeds).median;
}

void roofline::choose_pattern() {
  constexpr int tries = 3;
  double best = 0;
  for (const auto pattern : patterns) {
    std::vector<double> speeds;
    for (int i = 0; i < tries; ++i)
      speeds.push_back(read_with(pattern));
    if (const auto speed = summarize(speeds).median; speed > best) {
      best = speed;
      pattern_ = pattern;
    }
  }
}

double roofline::operations_per_second(peak_kind kind) {
  const auto& peak = loop(kind);
  if (peak.run == nullptr)
    return 0;
  const std::int64_t tiles = pool_.threads() * compute_tiles_per_thread;
  const auto operations =
      static_cast<double>(tiles * turns_per_tile) * peak.operations_per_turn;
  std::vector<double> speeds;
  for (int slice = 0; slice < slices; ++slice) {
    const auto began = clock::now();
    pool_.parallel_for(tiles, [&](std::int64_t) {
      sink.fetch_xor(peak.run(turns_per_tile), std::memory_order_relaxed);
    });
    speeds.push_back(operations / seconds_since(began));
  }
  return summarize(speeds).median;
}

peak_kind roofline::supported(peak_kind wanted) const {
  if (wanted == peak_kind::none || loop(wanted).run != nullptr)
    return wanted;
  return peak_kind::f32;
}

std::string_view roofline::instructions(peak_kind kind) const {
  return loop(kind).instructions;
}

std::string roofline::pattern() const {
  auto text = std::to_string(pattern_.streams) +
              (pattern_.streams == 1 ? " stream" : " streams") + " a thread, ";
  return text + (pattern_.prefetch == 0
                     ? "no prefetch"
                     : "prefetch " + std::to_string(pattern_.prefetch) +
                           " bytes ahead");
}

const peak_loop& roofline::loop(peak_kind kind) const {
  static const peak_loop nothing;
  switch (kind) {
  case peak_kind::int8:
    return probes_.int8;
  case peak_kind::bf16:
    return probes_.bf16;
  case peak_kind::f32:
    return probes_.f32;
  default:
    return nothing;
  }
}

} // namespace sluice::bench
