// SPDX-License-Identifier: Apache-2.0
#include "kernels/check.hpp"
#include "tests/kernels/cuda/row_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <vector>

using namespace sluice;
using namespace sluice::test;

BOOST_AUTO_TEST_SUITE(cuda_gather)

BOOST_AUTO_TEST_CASE(rows_are_copied_by_index) {
  cuda::stream work;
  for (const std::int64_t columns : {4, 20, 1100}) {
    const auto width = static_cast<std::size_t>(columns);
    const auto values = uniform_floats(6 * width, 5);
    const device_matrix x{work, columns, values, 4};
    const std::vector<std::int32_t> rows{5, -1, 0, 5, 6};
    const device_array<std::int32_t> on_device{work, rows};
    const device_matrix out{work, 5, columns};
    cuda::gather_rows({x.view(), on_device.data(), out.view()}, work);
    const auto found = out.values();
    for (std::size_t i = 0; i < found.size(); ++i) {
      const auto from = rows[i / width];
      if (from < 0 || from > 5)
        BOOST_TEST(std::isnan(found[i])); // skipped
      else
        BOOST_TEST(found[i] ==
                   values[static_cast<std::size_t>(from) * width + i % width]);
    }
  }
}

BOOST_AUTO_TEST_CASE(mistakes_are_refused) {
  cuda::stream work;
  const device_matrix x{work, 2, 8};
  const device_matrix out{work, 2, 12};
  const device_array<std::int32_t> rows{work, std::vector<std::int32_t>{0, 1}};
  BOOST_CHECK_THROW(
      cuda::gather_rows({x.view(), rows.data(), out.view()}, work),
      contract_violation);
  BOOST_CHECK_THROW(cuda::gather_rows({x.view(), nullptr, x.view()}, work),
                    contract_violation);
}

BOOST_AUTO_TEST_SUITE_END()
