// SPDX-License-Identifier: Apache-2.0
#include "kernels/convert.hpp"
#include "tests/kernels/fixtures.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace sluice::test {

namespace {

const dtype dense_types[] = {dtype::f32, dtype::f16, dtype::bf16};

std::vector<float> multiply(const op_table& ops, const matrix_view& weight,
                            rows& x, int threads) {
  rows out(x.height, weight.rows);
  scratch space(matmul_workspace_bytes(x.height, x.width));
  const projection to{weight, {}, out.view()};
  thread_pool pool(threads);
  ops.matmul({x.view(), {&to, 1}, space.span()}, pool);
  return out.values;
}

rows rounded_to_bf16(const rows& x) {
  rows rounded = x;
  for (float& value : rounded.values) {
    value = bf16_to_f32(f32_to_bf16(value));
  }
  return rounded;
}

// From the oracle; bf16 weights may meet an x that was rounded to bf16.
double difference(dtype type, const weights& w, rows& x,
                  const std::vector<float>& found) {
  const double exact =
      relative_difference(found, multiply(oracle(), w.view(), x, 1));
  if (type != dtype::bf16) {
    return exact;
  }
  rows rounded = rounded_to_bf16(x);
  return std::fmin(exact, relative_difference(
                              found, multiply(oracle(), w.view(), rounded, 1)));
}

} // namespace

BOOST_AUTO_TEST_SUITE(dense_panels)

// Every height of a tile of x, several tiles, and every number of panels left
// at the end, with whole and partial last panels.
BOOST_AUTO_TEST_CASE(every_tile_agrees_with_the_oracle) {
  for (const path& p : paths()) {
    for (const dtype type : dense_types) {
      double worst = 0;
      for (std::int64_t m = 1; m <= 40; ++m) {
        const std::int64_t n = 1 + 41 * m % 150;
        const std::int64_t k = 1 + 29 * m % 97;
        const weights w(type, n, k, 2);
        rows x(m, k, 1);
        packed_weights packed(w.view(), p.ops->packing);
        const auto found = multiply(*p.ops, packed.view(), x, 2);
        const double off = difference(type, w, x, found);
        BOOST_TEST(off <= 3e-6, p.name << " " << name(type) << " m=" << m
                                       << " n=" << n << " k=" << k << ": "
                                       << off);
        worst = std::fmax(worst, off);
      }
      BOOST_TEST_MESSAGE(p.name << " " << name(type) << ": " << worst);
    }
  }
}

// A row of x has the same product alone, in whichever tile, and wherever in a
// claim its panel lies.
BOOST_AUTO_TEST_CASE(outputs_do_not_depend_on_tiles_and_neighbours) {
  for (const path& p : paths()) {
    for (const dtype type : dense_types) {
      const weights all(type, 200, 333, 2);
      packed_weights packed(all.view(), p.ops->packing);
      rows x(50, 333, 1);
      const auto together = multiply(*p.ops, packed.view(), x, 2);
      for (const std::int64_t row : {0, 17, 49}) {
        rows one(1, 333);
        std::copy_n(x.values.begin() + row * 333, 333, one.values.begin());
        const auto alone = multiply(*p.ops, packed.view(), one, 1);
        const std::vector<float> expected(together.begin() + row * 200,
                                          together.begin() + (row + 1) * 200);
        BOOST_TEST(same_bytes(alone, expected),
                   p.name << " " << name(type) << " row " << row);
      }
      matrix_view last = all.view();
      last.rows = 1;
      last.data += 199 * last.row_stride_bytes;
      packed_weights single(last, p.ops->packing);
      const auto column = multiply(*p.ops, single.view(), x, 1);
      for (std::size_t m = 0; m < 50; ++m) {
        BOOST_TEST(column[m] == together[m * 200 + 199],
                   p.name << " " << name(type) << " row " << m);
      }
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace sluice::test
