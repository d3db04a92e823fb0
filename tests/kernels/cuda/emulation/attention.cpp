// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/emulation/block.hpp"
#include "tests/kernels/cuda/attention_fixture.hpp"

#include <boost/test/unit_test.hpp>

// A barrier that attention lacked would show as bytes that depend on the order
// in which threads get their turns.

namespace sluice::test {

namespace {

using cuda::emulation::take_turns;
using cuda::emulation::turns;

struct turns_fixture {
  ~turns_fixture() { take_turns(turns::forward); }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(cuda_attention_turns, turns_fixture)

BOOST_AUTO_TEST_CASE(the_order_of_threads_changes_nothing) {
  const auto rows = kv_fixture::range(0, 260, 270);
  for (const dtype type : {dtype::bf16, dtype::i8, dtype::f8_e4m3})
    for (const std::int64_t head_dim : {32, 256}) {
      attention_fixture kv({1, 2, head_dim, 0}, type, 16, {280});
      for (const auto use :
           {attention_call::kernels::prompt, attention_call::kernels::decode}) {
        const attention_call call{.use = use,
                                  .out = type == dtype::bf16 ? dtype::f8_e4m3
                                                             : dtype::i8};
        take_turns(turns::forward);
        const auto expected = kv.bytes(rows, call);
        for (const auto order : {turns::backward, turns::shuffled}) {
          take_turns(order);
          BOOST_TEST((kv.bytes(rows, call) == expected));
        }
      }
    }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace sluice::test
