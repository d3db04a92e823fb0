// SPDX-License-Identifier: Apache-2.0
// Pages go to the host and back beside the steps, through a few slots.
#include "kernels/check.hpp"
#include "model/cuda/cuda_cache.hpp"
#include "tests/model/cuda/moved_pages.hpp"

#include <boost/test/unit_test.hpp>

using namespace sluice;
using namespace sluice::test;

namespace {

kv_shape small(dtype type, std::uint32_t page_tokens) {
  return {.layers = 2,
          .kv_heads = 2,
          .head_dim = 32,
          .pages = 7,
          .page_tokens = page_tokens,
          .type = type};
}

} // namespace

BOOST_AUTO_TEST_SUITE(cuda_moves)

BOOST_AUTO_TEST_CASE(pages_are_those_that_the_host_would_have) {
  check_page_moves({.shape = small(dtype::f16, 16), .seed = 1});
  check_page_moves({.shape = small(dtype::bf16, 8), .seed = 2});
  check_page_moves({.shape = small(dtype::i8, 32), .seed = 3});
  check_page_moves({.shape = small(dtype::f8_e4m3, 8), .seed = 4});
}

BOOST_AUTO_TEST_CASE(however_little_or_much_staging_there_is) {
  for (const std::uint32_t pages : {1, 2, 3, 5, 9, 30})
    check_page_moves({.shape = small(dtype::f16, 8),
                      .staging_pages = pages,
                      .seed = 10 + pages});
  check_page_moves(
      {.shape = small(dtype::f16, 8), .host_slots = 1, .staging_pages = 1});
}

BOOST_AUTO_TEST_CASE(staging_is_bounded) {
  struct row {
    std::uint64_t page_bytes;
    std::uint32_t host_slots;
    std::uint64_t most, expected;
  };
  constexpr std::uint64_t mib = 1u << 20;
  for (const auto& [page, slots, most, expected] : std::vector<row>{
           {2 * mib, 0, 64 * mib, 0},
           {2 * mib, 1, 64 * mib, 2 * mib},
           {2 * mib, 16, 64 * mib, 32 * mib},
           {2 * mib, 1000, 64 * mib, 64 * mib},
           {3 * mib, 1000, 64 * mib, 63 * mib},
           {100 * mib, 1000, 64 * mib, 200 * mib},
           {100 * mib, 1, 64 * mib, 100 * mib},
           {4096, ~0u, ~std::uint64_t{0}, 4096ull * ~0u},
       })
    BOOST_TEST(cuda_swaps::staging_bytes(page, slots, most) == expected);
}

BOOST_AUTO_TEST_CASE(slots_want_a_room) {
  const auto shape = small(dtype::f16, 16);
  cuda::device_memory memory{kv_store_bytes(shape)};
  const std::span<std::byte> all{memory.data(), memory.bytes()};
  BOOST_CHECK_NO_THROW((cuda_cache{shape, 0, all, {}}));
  BOOST_CHECK_THROW((cuda_cache{shape, 4, all, {}}), contract_violation);
}

BOOST_AUTO_TEST_SUITE_END()
