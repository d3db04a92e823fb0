// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/simt.hpp"

// One value of every thread of a block made one. The order is a butterfly over
// the lanes of a warp, then the warps in turn: it depends on the number of
// threads alone.

namespace sluice::cuda {

/// Room that reduce_block() needs, in elements.
inline constexpr int reduce_room = 32;

struct sum_of {
  template <class T>
  SLUICE_DEVICE T operator()(T a, T b) const {
    return a + b;
  }
};
struct largest_of {
  template <class T>
  SLUICE_DEVICE T operator()(T a, T b) const {
    return max(a, b);
  }
};
struct smallest_of {
  template <class T>
  SLUICE_DEVICE T operator()(T a, T b) const {
    return min(a, b);
  }
};

/// @param combine  commutative, so that every lane gets the same bits.
template <class T, class Combine>
SLUICE_DEVICE T reduce_warp(T value, Combine combine) {
  SLUICE_UNROLL
  for (int mask = warp_lanes / 2; mask > 0; mask /= 2)
    value = combine(value, shuffle_xor(value, mask));
  return value;
}

/// The same for the block; every thread calls it and gets the result.
/// @param room  [reduce_room] in shared memory; free again on return.
template <class T, class Combine>
SLUICE_DEVICE T reduce_block(T value, T* room, Combine combine) {
  value = reduce_warp(value, combine);
  if (lane() == 0)
    room[warp()] = value;
  sync_block();
  T all = room[0];
  const int warps = threads() / warp_lanes;
  for (int i = 1; i < warps; ++i)
    all = combine(all, room[i]);
  sync_block();
  return all;
}

} // namespace sluice::cuda
