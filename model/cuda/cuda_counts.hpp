// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/runtime.hpp"
#include "kernels/cuda/sampling.hpp"
#include "model/compute_device.hpp"
#include "model/device_slots.hpp"
#include "model/lane_sequence.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace sluice {

/// The penalty counts of sequences, on a GPU. A row of them is one sequence's
/// for as long as it is used more often than others: its tokens are counted as
/// they come, most of them by the kernel that reads the counts.
class cuda_counts {
public:
  struct bounds {
    std::uint32_t rows = 0;    // sequences
    std::uint32_t vocab = 0;   // tokens
    std::uint32_t changes = 0; // that go up at once
  };

  /// @param device  bytes_for() bytes.
  /// @throws cuda::device_error.
  cuda_counts(const bounds& most, std::span<std::byte> device);

  /// Bytes of device memory that it takes.
  static std::uint64_t bytes_for(const bounds& most);

  /// Begins a call of choose_tokens(): no row of counts changes hands in it.
  void begin();

  bool has_room_for(const lane_sequence& sequence) const {
    return slots_.has_room_for(sequence.on_device().counts);
  }

  /// Lets a row of counts hold a sequence's tokens before a position.
  /// @param enters  the last of them gets there by choice_row::enters.
  /// @return the row.
  /// @throws contract_violation without room, or if it holds more already.
  std::int32_t add(lane_sequence& sequence, std::uint32_t position,
                   bool enters);

  /// What send() will bring to the device.
  std::span<const cuda::count_change> changes() const noexcept {
    return changes_;
  }

  /// Puts everything since begin() into the stream. Waits for it where there is
  /// more than goes up at once.
  /// @param place  of the step, as elsewhere.
  void send(std::uint32_t place, cuda::stream& in);

  /// [rows, count_stride(vocab)] in device memory.
  std::uint32_t* data() const noexcept { return counts_; }

  /// Nothing of what has been planned is to be trusted: a step failed.
  void forget() { slots_.forget(); }

private:
  void send(std::span<const cuda::count_change> changes, std::byte* host,
            cuda::stream& in);

  bounds most_;
  device_slots slots_;
  std::vector<std::int32_t> cleared_; // rows that begin anew
  std::vector<cuda::count_change> changes_;
  std::array<cuda::host_memory, most_started_steps> host_; // of changes
  std::uint32_t* counts_;
  cuda::count_change* list_; // [changes], in device memory
};

} // namespace sluice
