// SPDX-License-Identifier: Apache-2.0
#include "kernels/check.hpp"
#include "kernels/reference/reference.hpp"
#include "tests/kernels/cuda/row_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <vector>

using namespace sluice;
using namespace sluice::test;

namespace {

constexpr dtype operand_types[] = {dtype::bf16, dtype::f16, dtype::i8,
                                   dtype::f8_e4m3};

struct swiglu_fixture {
  cuda::stream work;
  thread_pool pool{{.threads = 1}};

  void compare(dtype type, std::int64_t columns, std::vector<float> gate) {
    const auto rows = static_cast<std::int64_t>(gate.size()) / columns;
    device_matrix up{work, columns, uniform_floats(gate.size(), 4, 3), 4};
    device_matrix on_device{work, columns, std::move(gate), 8};
    const device_operand out{work, type, rows, columns};
    cuda::swiglu({on_device.view(), up.view(), out.view()}, work);
    std::vector<float> wanted(static_cast<std::size_t>(rows * columns));
    reference::swiglu({.gate = on_device.host(),
                       .up = up.host(),
                       .out = {wanted.data(), rows, columns, columns}},
                      pool);
    check_rounded(out, wanted, columns);
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(cuda_swiglu, swiglu_fixture)

BOOST_AUTO_TEST_CASE(rows_are_those_of_the_oracle) {
  for (const auto type : operand_types)
    for (const std::int64_t columns : {16, 1040, 4112})
      compare(type, columns,
              uniform_floats(static_cast<std::size_t>(3 * columns), 2, 12));
}

BOOST_AUTO_TEST_CASE(rows_past_what_is_kept_are_made_again) {
  for (const auto type : {dtype::i8, dtype::f8_e4m3})
    compare(type, 16384 + 32, uniform_floats(16384 + 32, 2));
}

BOOST_AUTO_TEST_CASE(rows_with_nans_and_of_nothing_stay_apart) {
  for (const auto type : operand_types) {
    auto gate = uniform_floats(5 * 48, 2);
    gate[7] = not_a_number;
    gate[48] = infinity;
    gate[2 * 48] = -infinity;
    std::fill_n(gate.begin() + 3 * 48, 48, 0.0f);
    gate[4 * 48] = -200; // silu is 0 there
    compare(type, 48, gate);
  }
}

BOOST_AUTO_TEST_CASE(a_row_is_the_same_bytes_alone_and_in_a_batch) {
  for (const auto type : operand_types) {
    const device_matrix gate{work, 528, uniform_floats(4 * 528, 1, 5)};
    const device_matrix up{work, 528, uniform_floats(4 * 528, 2, 5)};
    const device_operand together{work, type, 4, 528};
    const device_operand alone{work, type, 4, 528};
    cuda::swiglu({gate.view(), up.view(), together.view()}, work);
    for (std::int64_t row = 0; row < 4; ++row)
      cuda::swiglu({gate.view(row, 1), up.view(row, 1), alone.view(row, 1)},
                   work);
    BOOST_TEST((together.bytes() == alone.bytes()));
    if (is_scaled(type))
      BOOST_TEST(together.scales() == alone.scales());
  }
}

BOOST_AUTO_TEST_CASE(mistakes_are_refused) {
  const device_matrix x{work, 2, 32};
  const device_matrix other{work, 3, 32};
  const device_operand out{work, dtype::bf16, 2, 32};
  BOOST_CHECK_THROW(cuda::swiglu({x.view(), other.view(), out.view()}, work),
                    contract_violation);
  BOOST_CHECK_THROW(cuda::swiglu({x.view(), x.view(), out.view(0, 1)}, work),
                    contract_violation);
  auto unaligned = out.view();
  unaligned.data += 2;
  BOOST_CHECK_THROW(cuda::swiglu({x.view(), x.view(), unaligned}, work),
                    contract_violation);
}

BOOST_AUTO_TEST_SUITE_END()
