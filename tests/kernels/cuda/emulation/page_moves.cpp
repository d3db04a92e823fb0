// SPDX-License-Identifier: Apache-2.0
// The emulation carries out the moves of a launch in their order, as no GPU
// does: so launches are counted.
#include "kernels/cuda/emulation/faults.hpp"
#include "kernels/cuda/ops.hpp"

#include <boost/test/unit_test.hpp>

#include <vector>

using namespace sluice;
using namespace sluice::cuda;

namespace {

struct small_cache {
  static constexpr std::int64_t part_bytes = 8 * 16 * 2;

  std::uint64_t launches(page_route route,
                         const std::vector<page_move>& moves) {
    const auto before = emulation::calls();
    move_pages({.first_layer = {.k = cache.data(),
                                .v = cache.data() + pages * part_bytes,
                                .pages = pages,
                                .kv_heads = 1,
                                .page_tokens = 8,
                                .head_dim = 16},
                .layer_bytes = 2 * pages * part_bytes,
                .slots = slots.data(),
                .slot_count = pages,
                .route = route,
                .moves = moves},
               in);
    return emulation::calls() - before;
  }

  std::int64_t pages = 600;
  device_memory cache{static_cast<std::size_t>(2 * pages * part_bytes)};
  device_memory slots{static_cast<std::size_t>(2 * pages * part_bytes)};
  stream in;
};

std::vector<page_move> apart(std::uint32_t count) {
  std::vector<page_move> moves;
  for (std::uint32_t i = 0; i < count; ++i)
    moves.push_back({i, i + 300});
  return moves;
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(cuda_page_moves_emulated, small_cache)

BOOST_AUTO_TEST_CASE(moves_are_one_launch_unless_their_order_forbids_it) {
  using enum page_route;
  const std::vector<page_move> chain{{0, 1}, {1, 2}, {2, 3}};
  BOOST_TEST(launches(within_cache, {}) == 0u);
  for (const auto route : {within_cache, to_slots, from_slots}) {
    BOOST_TEST(launches(route, apart(256)) == 1u);
    BOOST_TEST(launches(route, apart(257)) == 2u);
    BOOST_TEST(launches(route, {{0, 1}, {2, 1}}) == 2u);
  }
  BOOST_TEST(launches(within_cache, chain) == 3u);
  BOOST_TEST(launches(to_slots, chain) == 1u);
  BOOST_TEST(launches(from_slots, chain) == 1u);
}

BOOST_AUTO_TEST_SUITE_END()
