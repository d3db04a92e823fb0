// SPDX-License-Identifier: Apache-2.0
#include "kernels/check.hpp"
#include "kernels/convert.hpp"
#include "kernels/reference/reference.hpp"
#include "tests/kernels/cuda/row_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <vector>

using namespace sluice;
using namespace sluice::test;

namespace {

struct embed_fixture {
  cuda::stream work;
  thread_pool pool{{.threads = 1}};

  static std::vector<std::byte> table(dtype type, std::int64_t rows,
                                      std::int64_t columns) {
    std::vector<std::byte> packed(static_cast<std::size_t>(2 * rows * columns));
    quantize_row(type,
                 uniform_floats(static_cast<std::size_t>(rows * columns), 3),
                 packed.data());
    return packed;
  }

  cuda::embed_args args(const device_array<std::byte>& table, dtype type,
                        std::int64_t vocabulary,
                        const device_array<std::int32_t>& ids,
                        const device_matrix& out) const {
    return {.table = table.data(),
            .type = type,
            .vocabulary = vocabulary,
            .ids = ids.data(),
            .out = out.view()};
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(cuda_embed, embed_fixture)

BOOST_AUTO_TEST_CASE(rows_are_those_of_the_oracle) {
  const std::vector<std::int32_t> ids{6, 0, 3, 3, 5};
  for (const auto type : {dtype::bf16, dtype::f16})
    for (const std::int64_t columns : {16, 264, 2064}) {
      const auto packed = table(type, 7, columns);
      const device_array<std::byte> on_device{work, packed};
      const device_array<std::int32_t> device_ids{work, ids};
      device_matrix out{work, 5, columns};
      cuda::embed(args(on_device, type, 7, device_ids, out), work);
      std::vector<float> wanted(static_cast<std::size_t>(5 * columns));
      reference::embed_rows(
          {.table = {packed.data(), type, 7, columns, row_bytes(type, columns)},
           .ids = ids,
           .out = {wanted.data(), 5, columns, columns}},
          pool);
      BOOST_TEST(out.values() == wanted, boost::test_tools::per_element());
    }
}

BOOST_AUTO_TEST_CASE(ids_outside_the_table_are_skipped) {
  const std::vector<std::int32_t> ids{-1, 1, 2, 1 << 30};
  const device_array<std::byte> on_device{work, table(dtype::bf16, 2, 16)};
  const device_array<std::int32_t> device_ids{work, ids};
  device_matrix out{work, 4, 16};
  cuda::embed(args(on_device, dtype::bf16, 2, device_ids, out), work);
  const auto values = out.values();
  for (std::size_t i = 0; i < values.size(); ++i)
    BOOST_TEST(std::isnan(values[i]) == (i / 16 != 1));
}

BOOST_AUTO_TEST_CASE(mistakes_are_refused) {
  const device_array<std::byte> on_device{work, table(dtype::bf16, 2, 16)};
  const device_array<std::int32_t> ids{work, std::vector<std::int32_t>{0}};
  device_matrix out{work, 1, 16};
  const auto good = args(on_device, dtype::bf16, 2, ids, out);
  const auto refused = [&](auto change) {
    auto bad = good;
    change(bad);
    BOOST_CHECK_THROW(cuda::embed(bad, work), contract_violation);
  };
  refused([](auto& bad) { bad.type = dtype::q8_0; });
  refused([](auto& bad) { bad.table += 2; });
  refused([](auto& bad) { bad.vocabulary = 0; });
  refused([](auto& bad) { bad.ids = nullptr; });
  refused([](auto& bad) { bad.out.columns = 12; });
  refused([](auto& bad) { bad.out.row_stride = 18; });
  refused([](auto& bad) { bad.out.data += 1; });
}

BOOST_AUTO_TEST_SUITE_END()
