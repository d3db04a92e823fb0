// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/ops.hpp"
#include "kernels/cuda/runtime.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace sluice {

/// Pages of a cache on their way to pinned host memory and back. A page is
/// moved within the device in the stream of the steps, between the cache and a
/// ring of rooms, and between a room and its host slot in a stream of its own,
/// beside the steps' kernels. The streams wait for each other where they must,
/// the host for neither.
class cuda_swaps {
public:
  /// @param cache       all but its slots, route and moves.
  /// @param page_bytes  of a page and of a slot.
  /// @param host_slots  at least 1.
  /// @param staging     device memory of at least a page; the more, the longer
  ///                    the steps' stream runs ahead of the copies.
  /// @throws contract_violation if it is less, cuda::device_error.
  cuda_swaps(const cuda::page_move_args& cache, std::uint64_t page_bytes,
             std::uint32_t host_slots, std::span<std::byte> staging);

  /// Bytes of staging for so many host slots: at most `most`, but two pages.
  static std::uint64_t staging_bytes(std::uint64_t page_bytes,
                                     std::uint32_t host_slots,
                                     std::uint64_t most);

  /// Pages of the cache to host slots, as they are at this point of `steps`,
  /// which may write over them from there on.
  /// @pre the slots are there.
  void out(std::span<const cuda::page_move> moves, cuda::stream& steps);

  /// Host slots to pages of the cache, with what an out() before has put there:
  /// whole for what comes next in `steps`. What `steps` does before goes on
  /// meanwhile.
  /// @pre the slots are there.
  void in(std::span<const cuda::page_move> moves, cuda::stream& steps);

  /// Waits until all is where it goes, if `steps` has been waited for.
  void wait() { copies_.wait(); }

private:
  /// Slots that are filled by one stream, emptied by the other.
  struct room {
    std::byte* slots = nullptr;
    cuda::event filled;
    cuda::event free;
  };
  static constexpr std::size_t most_rooms = 4;

  room& next_room() { return rooms_[turn_++ % room_count_]; }
  cuda::page_move_args staged(const room& at, cuda::page_route route) const;
  std::byte* host_slot(std::uint32_t slot) const {
    return host_.data() + slot * page_bytes_;
  }

  cuda::page_move_args cache_;
  std::uint64_t page_bytes_;
  cuda::host_memory host_;
  cuda::stream copies_;
  std::array<room, most_rooms> rooms_;
  std::size_t room_count_;
  std::size_t room_slots_; // of each
  std::size_t turn_ = 0;
  std::vector<cuda::page_move> staged_moves_; // of one round
};

} // namespace sluice
