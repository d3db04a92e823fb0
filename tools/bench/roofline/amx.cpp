// SPDX-License-Identifier: Apache-2.0
// The probes of AMX: two by two tiles, as its kernels work.
#include "tools/bench/roofline/probes.hpp"

#include <immintrin.h>

namespace sluice::bench::amx {
namespace {

constexpr double products = 4 * 16 * 16; // sums of one turn

// Eight registers of 16 rows of 64 bytes, all 0.
class whole_tiles {
public:
  whole_tiles() {
    alignas(64) unsigned char shapes[64] = {1};
    for (int tile = 0; tile < 8; ++tile) {
      shapes[16 + 2 * tile] = 64;
      shapes[48 + tile] = 16;
    }
    asm volatile("ldtilecfg %0" : : "m"(shapes));
  }
  whole_tiles(const whole_tiles&) = delete;
  whole_tiles& operator=(const whole_tiles&) = delete;
  ~whole_tiles() { _tile_release(); }
};

std::uint64_t multiply_bytes(std::int64_t turns) {
  const whole_tiles tiles;
  for (std::int64_t turn = 0; turn < turns; ++turn) {
    _tile_dpbssd(0, 4, 6);
    _tile_dpbssd(1, 4, 7);
    _tile_dpbssd(2, 5, 6);
    _tile_dpbssd(3, 5, 7);
  }
  return 0;
}

std::uint64_t multiply_pairs(std::int64_t turns) {
  const whole_tiles tiles;
  for (std::int64_t turn = 0; turn < turns; ++turn) {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  return 0;
}

} // namespace

peak_loop int8_peak() {
  return {"tdpbssd", products * 64 * 2, multiply_bytes};
}

peak_loop bf16_peak() {
  return {"tdpbf16ps", products * 32 * 2, multiply_pairs};
}

} // namespace sluice::bench::amx
