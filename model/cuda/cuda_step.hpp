// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/attention.hpp"
#include "model/transformer.hpp"

#include <cstdint>

namespace sluice {

/// The sizes of a forward pass: what its launches depend on. Two steps of the
/// same sizes are the same graph.
struct cuda_step_sizes {
  std::int64_t rows = 0;    // positions, those that are skipped included
  std::int64_t wanted = 0;  // rows of the final hidden state
  std::int64_t longest = 0; // no position is at or past it
  bool all_wanted = false;  // wanted row i is row i

  bool operator==(const cuda_step_sizes&) const = default;
};

/// A step's positions in device memory, as step_positions.
struct cuda_step {
  cuda_step_sizes sizes;
  const std::int32_t* tokens = nullptr;
  const std::int32_t* positions = nullptr; // -1: skipped
  const std::int64_t* slots = nullptr;     // -1: skipped
  const std::int32_t* sequence_of = nullptr;
  const std::int32_t* wanted = nullptr;
  cuda::device_tables tables;
  // Which rows attend together; none where every row stands alone.
  const cuda::attention_tile* tiles = nullptr;
  std::int64_t tile_count = 0;
  const std::int32_t* single_rows = nullptr;
  std::int64_t single_count = 0;
};

/// The sizes with which a step runs. Decodes (one position a sequence, all
/// wanted) are rounded up to a rung of a ladder, so that few graphs serve all.
/// @param context  longest sequence of the model.
struct rounded_sizes {
  cuda_step_sizes sizes;
  bool is_decode = false;
};
rounded_sizes sizes_of(const step_positions& step, std::int64_t context,
                       std::int64_t max_rows);

/// Brings a step's positions to the device: pinned memory here, its likeness
/// there, at addresses that never change.
class cuda_step_input {
public:
  /// @param max_rows   positions of the largest step.
  /// @param max_pages  entries of the longest page table.
  /// @throws cuda::out_of_device_memory, cuda::device_error.
  cuda_step_input(std::uint32_t max_rows, std::uint32_t max_pages,
                  const cuda::attention_tiling& tiling);

  /// Puts the copies into the stream. The step before must have ended.
  /// @param sizes  at least those of the step; what is past it is skipped.
  cuda_step load(const step_positions& step, const rounded_sizes& sizes,
                 cuda::stream& in);

private:
  struct arrays {
    std::int32_t* tokens;
    std::int32_t* positions;
    std::int32_t* sequence_of;
    std::int32_t* wanted;
    std::int32_t* single_rows;
    cuda::attention_tile* tiles;
    std::int64_t* slots;
    std::uint32_t* tables; // [max_rows, max_pages]
  };
  void load_tiles(const step_positions& step, cuda_step& to, cuda::stream& in);

  arrays arrays_at(std::byte* base) const;

  std::uint32_t max_rows_;
  std::uint32_t max_pages_;
  cuda::attention_tiling tiling_;
  cuda::host_memory host_;
  cuda::device_memory device_;
};

} // namespace sluice
