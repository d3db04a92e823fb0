// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/step_state.hpp"
#include "model/device_slots.hpp"
#include "model/lane_batch.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace sluice {

/// The page tables of sequences, on a GPU. They stay there: a step changes as
/// much of them as its plan does, however long they are.
class cuda_tables {
public:
  struct bounds {
    std::uint32_t tables = 0;  // at least the sequences of one step
    std::uint32_t entries = 0; // of each
  };

  /// @param device  bytes_for() bytes.
  cuda_tables(const bounds& most, std::byte* device);

  /// Bytes of device memory that it takes.
  static std::uint64_t bytes_for(const bounds& most);

  /// Finds a table for each of the batch's rows and what is not there yet.
  /// @throws contract_violation if they are more than the tables.
  void plan(const lane_batch& batch);

  /// [rows of the batch] tables.
  std::span<const std::int32_t> places() const noexcept { return places_; }

  /// What must be written before the step runs, after what was planned before.
  std::span<const cuda::table_entry> changes() const noexcept {
    return changes_;
  }

  /// @param entries  [count] in device memory.
  void write(const cuda::table_entry* entries, std::size_t count,
             cuda::stream& in) const;

  cuda::device_tables view() const noexcept { return {pages_, most_.entries}; }

  /// Nothing of what has been planned is to be trusted: a step failed.
  void forget() { slots_.forget(); }

private:
  void add(lane_sequence& sequence);

  bounds most_;
  std::uint32_t* pages_; // [tables, entries] in device memory
  device_slots slots_;
  std::vector<std::int32_t> places_;
  std::vector<cuda::table_entry> changes_;
};

} // namespace sluice
