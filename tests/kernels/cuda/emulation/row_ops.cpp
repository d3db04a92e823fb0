// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/emulation/block.hpp"
#include "tests/kernels/cuda/row_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <functional>
#include <vector>

// The ops over rows give the same bytes in whatever order threads run.

using namespace sluice;
using namespace sluice::test;
using cuda::emulation::turns;

namespace {

struct turn_fixture {
  ~turn_fixture() { cuda::emulation::take_turns(turns::forward); }
  cuda::stream work;

  void check_turns(dtype type, const std::function<void(cuda::operand)>& op) {
    std::vector<std::vector<std::byte>> all;
    std::vector<std::vector<float>> scales;
    for (const auto order :
         {turns::forward, turns::backward, turns::shuffled}) {
      cuda::emulation::take_turns(order);
      const device_operand out{work, type, 2, 1040};
      op(out.view());
      all.push_back(out.bytes());
      if (is_scaled(type))
        scales.push_back(out.scales());
    }
    BOOST_TEST((all[0] == all[1] && all[0] == all[2]));
    if (is_scaled(type))
      BOOST_TEST((scales[0] == scales[1] && scales[0] == scales[2]));
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(row_ops_in_every_order, turn_fixture)

BOOST_AUTO_TEST_CASE(norm) {
  const auto values = uniform_floats(2 * 1040, 1);
  const device_matrix update{work, 1040, uniform_floats(2 * 1040, 2)};
  const device_array<float> weight{work, uniform_floats(1040, 3)};
  for (const auto type : {dtype::bf16, dtype::i8, dtype::f8_e4m3})
    check_turns(type, [&](cuda::operand out) {
      const device_matrix x{work, 1040, values};
      cuda::rms_norm({x.view(), update.view(), weight.data(), 1e-6f, out},
                     work);
    });
}

BOOST_AUTO_TEST_CASE(swiglu) {
  const device_matrix x{work, 1040, uniform_floats(2 * 1040, 1)};
  for (const auto type : {dtype::f16, dtype::i8, dtype::f8_e4m3})
    check_turns(type, [&](cuda::operand out) {
      cuda::swiglu({x.view(), x.view(), out}, work);
    });
}

BOOST_AUTO_TEST_SUITE_END()
