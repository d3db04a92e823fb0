// SPDX-License-Identifier: Apache-2.0
#include "model/cuda/cuda_swaps.hpp"

#include "kernels/check.hpp"

#include <algorithm>

namespace sluice {

namespace {

using cuda::page_move;

/// Cuts moves into rounds, each of which fills at most a room.
template <class Round>
void in_rounds(std::span<const page_move> moves, std::size_t room_slots,
               const Round& round) {
  while (!moves.empty()) {
    const auto some = moves.first(std::min(moves.size(), room_slots));
    round(some);
    moves = moves.subspan(some.size());
  }
}

/// Host slots that lie side by side, as their pages do in a room, are one copy.
/// @param copy  receives the first slot, its move's index, and how many.
template <class Copy>
void in_runs(std::span<const page_move> moves, std::uint32_t page_move::*slot,
             const Copy& copy) {
  for (std::size_t first = 0; first < moves.size();) {
    auto end = first + 1;
    while (end < moves.size() && moves[end].*slot == moves[end - 1].*slot + 1)
      ++end;
    copy(moves[first].*slot, first, end - first);
    first = end;
  }
}

} // namespace

cuda_swaps::cuda_swaps(const cuda::page_move_args& cache,
                       std::uint64_t page_bytes, std::uint32_t host_slots,
                       std::span<std::byte> staging)
    : cache_{cache}, page_bytes_{page_bytes}, host_{static_cast<std::size_t>(
                                                  page_bytes * host_slots)},
      room_count_{std::min(staging.size() / page_bytes, most_rooms)},
      room_slots_{0} {
  require(room_count_ > 0, "cuda_swaps: no room for a page; give staging of a "
                           "page or more");
  room_slots_ = staging.size() / page_bytes / room_count_;
  for (std::size_t i = 0; i < room_count_; ++i)
    rooms_[i].slots = staging.data() + i * room_slots_ * page_bytes;
  staged_moves_.reserve(room_slots_);
}

std::uint64_t cuda_swaps::staging_bytes(std::uint64_t page_bytes,
                                        std::uint32_t host_slots,
                                        std::uint64_t most) {
  const auto fit = std::max<std::uint64_t>(most / page_bytes, 2);
  return std::min<std::uint64_t>(fit, host_slots) * page_bytes;
}

cuda::page_move_args cuda_swaps::staged(const room& at,
                                        cuda::page_route route) const {
  auto args = cache_;
  args.slots = at.slots;
  args.slot_count = static_cast<std::int64_t>(room_slots_);
  args.route = route;
  args.moves = staged_moves_;
  return args;
}

void cuda_swaps::out(std::span<const page_move> moves, cuda::stream& steps) {
  in_rounds(moves, room_slots_, [&](std::span<const page_move> round) {
    auto& room = next_room();
    staged_moves_.clear();
    for (std::uint32_t i = 0; i < round.size(); ++i)
      staged_moves_.push_back({round[i].from, i});
    room.free.delay(steps);
    cuda::move_pages(staged(room, cuda::page_route::to_slots), steps);
    room.filled.record(steps);
    room.filled.delay(copies_);
    in_runs(round, &page_move::to, [&](auto slot, auto first, auto count) {
      copies_.copy(host_slot(slot), room.slots + first * page_bytes_,
                   count * page_bytes_);
    });
    room.free.record(copies_);
  });
}

void cuda_swaps::in(std::span<const page_move> moves, cuda::stream& steps) {
  in_rounds(moves, room_slots_, [&](std::span<const page_move> round) {
    auto& room = next_room();
    staged_moves_.clear();
    for (std::uint32_t i = 0; i < round.size(); ++i)
      staged_moves_.push_back({i, round[i].to});
    room.free.delay(copies_);
    in_runs(round, &page_move::from, [&](auto slot, auto first, auto count) {
      copies_.copy(room.slots + first * page_bytes_, host_slot(slot),
                   count * page_bytes_);
    });
    room.filled.record(copies_);
    room.filled.delay(steps);
    cuda::move_pages(staged(room, cuda::page_route::from_slots), steps);
    room.free.record(steps);
  });
}

} // namespace sluice
