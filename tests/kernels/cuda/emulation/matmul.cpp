// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/emulation/block.hpp"
#include "tests/kernels/cuda/matmul_fixture.hpp"

#include <boost/test/unit_test.hpp>

using namespace sluice;
using namespace sluice::test;
using cuda::emulation::take_turns;
using cuda::emulation::turns;

BOOST_AUTO_TEST_SUITE(cuda_matmul_emulated)

// Both kernels, with and without blocks that share a tile.
BOOST_AUTO_TEST_CASE(the_order_of_turns_changes_nothing) {
  for (const auto type : {dtype::bf16, dtype::q4_0, dtype::q4_k, dtype::q6_k,
                          dtype::q5_1, dtype::w8a8, dtype::fp8})
    for (const std::int64_t m : {3, 20, 70}) {
      const matmul_problem one{type, m, 24, 1280};
      for (const bool shared : {true, false}) {
        take_turns(turns::forward);
        const auto expected = one.run(0, m, shared);
        for (const auto order : {turns::backward, turns::shuffled}) {
          take_turns(order);
          BOOST_TEST(same_bits(one.run(0, m, shared), expected),
                     name(type) << " m=" << m);
        }
        if (m < 9)
          break; // a skinny block needs no workspace
      }
    }
  take_turns(turns::forward);
}

BOOST_AUTO_TEST_SUITE_END()
