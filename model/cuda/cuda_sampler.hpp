// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/runtime.hpp"
#include "kernels/cuda/sampling.hpp"
#include "model/compute_device.hpp"
#include "model/cuda/cuda_choices.hpp"
#include "model/cuda/cuda_counts.hpp"
#include "model/cuda/cuda_step.hpp"
#include "model/position_outcome.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace sluice {

/// Turns the logits of a step into tokens and scores on a GPU, as `sampler`, a
/// slice of the wanted positions at a time:
///
///   plan     takes what fits
///   send     brings what it asks for to the device
///   choose   chooses; only kernels, so that a graph can record it
///   fetch    brings what was chosen to pinned host memory
///   collect  reads it there, once the stream has come so far
///
/// What the last step chose stays on the device for the step after it.
class cuda_sampler {
public:
  struct bounds {
    std::uint32_t rows = 0;   // of the logits
    std::uint32_t wanted = 0; // positions of the largest step
    std::uint32_t vocab = 0;
    std::uint32_t counts = 0; // sequences whose penalty counts are kept
  };

  /// @param device  bytes_for() bytes.
  /// @throws cuda::device_error.
  cuda_sampler(const bounds& most, std::span<std::byte> device);

  /// Bytes of device memory that it takes.
  static std::uint64_t bytes_for(const bounds& most);

  /// Takes the wanted positions from `first` on, as many as fit.
  /// @param place  of the step; the slice before in this place must have been
  ///               collected.
  const choice_slice& plan(const lane_batch& batch, std::uint32_t first,
                           std::uint32_t place);
  const choice_slice& planned(std::uint32_t place) const {
    return staging_.at(place).slice;
  }

  /// Once for every plan().
  /// @param rows  that choose() will have: those behind the slice are skipped.
  void send(std::uint32_t place, std::int64_t rows, cuda::stream& in);

  /// @param logits  [rows, vocab] of the slice, in the order of positions; as
  ///                many rows as were sent.
  /// @param step    that it is a slice of: its tokens are there.
  void choose(const cuda::device_rows& logits, const choice_slice& slice,
              const cuda_step& step, cuda::stream& in) const;

  /// Fills in the tokens of a step that the one before has chosen.
  void take(const cuda_step& into, cuda::stream& in) const;

  void fetch(std::uint32_t place, cuda::stream& in);
  void collect(const lane_batch& batch, std::uint32_t place,
               step_answer& answer) const;

  /// Nothing that was kept is to be trusted: a step failed.
  void forget() { counts_.forget(); }

private:
  /// What lies in device memory.
  struct parts {
    std::byte* lists = nullptr; // of the slice, one after the other
    std::span<std::byte> counts;
    cuda::choice* chosen = nullptr; // [wanted]
    token_logprob* top = nullptr;
    std::byte* workspace = nullptr;
    std::size_t lists_bytes = 0;
    std::size_t workspace_bytes = 0;
    std::uint64_t bytes = 0; // of them all
  };
  static parts place_parts(const bounds& most, std::byte* base);

  /// Of one step.
  struct staging {
    explicit staging(const choice_limits& limits) : slice{limits} {}
    choice_slice slice;
    cuda::host_memory lists;
    cuda::host_memory chosen; // [limits.rows]
    cuda::host_memory top;    // [limits.top]
  };

  static cuda_counts::bounds count_bounds(const bounds& most);
  static position_outcome outcome_of(const staging& from, std::uint32_t index,
                                     bool is_scored);

  bounds most_;
  choice_limits limits_;
  parts device_;
  cuda_counts counts_;
  std::array<staging, most_started_steps> staging_;
};

} // namespace sluice
