// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/attention.hpp"
#include "kernels/cuda/runtime.hpp"
#include "model/compute_device.hpp"
#include "model/cuda/cuda_tables.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

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
  std::int32_t* tokens = nullptr;            // -1: to be taken, or skipped
  const std::int32_t* positions = nullptr;   // -1: skipped
  const std::int64_t* slots = nullptr;       // -1: skipped
  const std::int32_t* sequence_of = nullptr; // index of tables
  const std::int32_t* wanted = nullptr;      // unless all are
  cuda::device_tables tables;
  // Tokens that the step before has chosen, and where they go.
  const std::int32_t* taken_from = nullptr;
  const std::int32_t* taken_at = nullptr; // -1: nowhere
  std::int64_t taken_count = 0;
  // Which rows attend together; none where every row stands alone.
  const cuda::attention_tile* tiles = nullptr;
  std::int64_t tile_count = 0;
  const std::int32_t* single_rows = nullptr;
  std::int64_t single_count = 0;
  std::size_t sent_bytes = 0; // to bring it there
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

/// The sizes of the arrays that a step brings along.
struct step_arrays {
  std::size_t rows = 0;
  std::size_t wanted = 0;
  std::size_t taken = 0;
  std::size_t tiles = 0;
  std::size_t singles = 0;
  std::size_t changes = 0; // of page tables
};

/// Brings a step's positions to the device in one copy, and with them what has
/// changed in the page tables, which stay there: pinned memory here, for each
/// step that can be under way, its likeness there. Where decodes of the same
/// sizes lie there never changes.
class cuda_step_input {
public:
  struct bounds {
    std::uint32_t rows = 0; // positions of the largest step
    cuda_tables::bounds tables;
    std::uint32_t changes = 0; // of tables, that go up at once
    cuda::attention_tiling tiling;
  };

  /// @param device  bytes_for() bytes.
  /// @throws cuda::device_error.
  cuda_step_input(const bounds& most, std::span<std::byte> device);

  /// Bytes of device memory that it takes.
  static std::uint64_t bytes_for(const bounds& most);

  /// Puts the copy into the stream. Waits for it where more entries have
  /// changed than go up at once.
  /// @param sizes  at least those of the step; what is past it is skipped.
  /// @param place  the step before in this place must have ended.
  cuda_step load(const lane_batch& batch, const rounded_sizes& sizes,
                 std::uint32_t place, cuda::stream& in);

  /// Nothing that is kept is to be trusted: a step failed.
  void forget() { tables_.forget(); }

private:
  std::span<const cuda::table_entry>
  send_early(std::span<const cuda::table_entry> changes, std::uint32_t place,
             cuda::stream& in);

  bounds most_;
  cuda_tables tables_;
  std::array<cuda::host_memory, most_started_steps> host_; // what a step brings
  std::byte* device_;                                      // there
};

} // namespace sluice
