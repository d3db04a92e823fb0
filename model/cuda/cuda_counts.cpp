// SPDX-License-Identifier: Apache-2.0
#include "model/cuda/cuda_counts.hpp"

#include "kernels/check.hpp"

#include <algorithm>
#include <cstring>

namespace sluice {

namespace {

std::size_t bytes_of_row(std::uint32_t vocab) {
  return static_cast<std::size_t>(cuda::count_stride(vocab)) *
         sizeof(std::uint32_t);
}

} // namespace

cuda_counts::cuda_counts(const bounds& most, std::span<std::byte> device)
    : most_{most}, slots_{most.rows}, counts_{reinterpret_cast<std::uint32_t*>(
                                          device.data())},
      list_{reinterpret_cast<cuda::count_change*>(
          device.data() + std::size_t{most.rows} * bytes_of_row(most.vocab))} {
  cleared_.reserve(most.rows);
  changes_.reserve(most.changes);
  for (auto& host : host_)
    host = cuda::host_memory{most.changes * sizeof(cuda::count_change)};
}

std::uint64_t cuda_counts::bytes_for(const bounds& most) {
  return std::uint64_t{most.rows} * bytes_of_row(most.vocab) +
         most.changes * sizeof(cuda::count_change);
}

void cuda_counts::begin() {
  slots_.begin();
  cleared_.clear();
  changes_.clear();
}

std::int32_t cuda_counts::add(lane_sequence& sequence, std::uint32_t position,
                              bool enters) {
  auto& there = sequence.on_device();
  if (!slots_.claim(there.counts))
    there.counted_tokens = 0;
  const auto row = static_cast<std::int32_t>(there.counts.index);
  const auto end = position - (enters ? 1 : 0);
  require(there.counted_tokens <= end,
          "cuda: a sequence has more tokens counted than it has; truncate it");
  if (there.counted_tokens == 0)
    cleared_.push_back(row);
  for (auto at = there.counted_tokens; at < end; ++at)
    changes_.push_back({.row = row,
                        .token = sequence.tokens()[at],
                        .change = at < sequence.prompt_tokens() ? 0 : 1});
  there.counted_tokens = position;
  return row;
}

void cuda_counts::send(std::uint32_t place, cuda::stream& in) {
  const auto bytes = bytes_of_row(most_.vocab);
  for (const auto row : cleared_)
    in.fill(reinterpret_cast<std::byte*>(counts_) +
                static_cast<std::size_t>(row) * bytes,
            0, bytes);
  for (auto rest = changes(); !rest.empty();) {
    const auto now =
        rest.first(std::min(rest.size(), std::size_t{most_.changes}));
    send(now, host_.at(place).data(), in);
    rest = rest.subspan(now.size());
    if (!rest.empty())
      in.wait(); // the list is written anew
  }
}

void cuda_counts::send(std::span<const cuda::count_change> changes,
                       std::byte* host, cuda::stream& in) {
  std::memcpy(host, changes.data(), changes.size_bytes());
  in.copy(list_, host, changes.size_bytes());
  cuda::count_tokens({.counts = counts_,
                      .vocabulary = most_.vocab,
                      .changes = list_,
                      .count = std::ssize(changes)},
                     in);
}

} // namespace sluice
