// SPDX-License-Identifier: Apache-2.0
#include "kernels/check.hpp"
#include "kernels/convert.hpp"
#include "tests/kernels/fixtures.hpp"

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <cstring>
#include <random>

namespace sluice::test {

namespace {

// Any bytes are a row of a block format: every code and scale comes up.
std::vector<std::byte> random_bytes(std::size_t count) {
  std::mt19937 generator(7);
  std::vector<std::byte> bytes(count);
  for (std::byte& b : bytes) {
    b = static_cast<std::byte>(generator() >> 24);
  }
  return bytes;
}

bool same_or_nan(const std::vector<float>& a, const std::vector<float>& b) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    const bool both_nan = std::isnan(a[i]) && std::isnan(b[i]);
    if (!both_nan && std::memcmp(&a[i], &b[i], sizeof(float)) != 0) {
      return false;
    }
  }
  return a.size() == b.size();
}

// Whole groups of 256, a part of one, and more than one with a part.
std::vector<std::int64_t> row_lengths(dtype type) {
  switch (block_elements(type)) {
  case 1:
    return {1, 100, 256, 300};
  case 32:
    return {32, 192, 256, 288, 768};
  default:
    return {256, 768};
  }
}

} // namespace

BOOST_AUTO_TEST_SUITE(packing)

BOOST_AUTO_TEST_CASE(rows_come_back_from_panels_bit_by_bit) {
  for (const path& p : paths()) {
    for (const dtype type : weight_types()) {
      for (const std::int64_t k : row_lengths(type)) {
        if (!packs(*p.ops, type, k)) {
          continue;
        }
        const std::int64_t n = 2 * p.ops->packing.panel_rows + 3;
        const std::size_t stride = row_bytes(type, k);
        const auto bytes = random_bytes(stride * static_cast<std::size_t>(n));
        packed_weights packed({bytes.data(), type, n, k, stride},
                              p.ops->packing);
        for (std::int64_t row = 0; row < n; ++row) {
          std::vector<float> expected(static_cast<std::size_t>(k));
          std::vector<float> found(expected.size());
          dequantize_row(type,
                         bytes.data() + static_cast<std::size_t>(row) * stride,
                         expected);
          p.ops->packing.unpack_row(packed.view(), row, found.data());
          BOOST_TEST(same_or_nan(found, expected), p.name << " " << name(type)
                                                          << " k=" << k
                                                          << " row=" << row);
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(panels_are_hardly_larger_than_rows) {
  for (const path& p : paths()) {
    for (const dtype type : weight_types()) {
      constexpr std::int64_t k = 4096;
      const auto rows = static_cast<double>(row_bytes(type, k)) *
                        static_cast<double>(p.ops->packing.panel_rows);
      const std::size_t panel = p.ops->packing.panel_bytes(type, k);
      BOOST_TEST(panel % 64 == 0u);
      BOOST_TEST(static_cast<double>(panel) <= 1.06 * rows,
                 p.name << " " << name(type));
    }
  }
}

BOOST_AUTO_TEST_CASE(embedding_rows_are_read_from_panels) {
  const std::vector<std::int32_t> ids = {0, 18, 7, 33, 18};
  thread_pool pool(2);
  for (const path& p : paths()) {
    for (const dtype type : weight_types()) {
      if (!packs(*p.ops, type, 256)) {
        continue;
      }
      const weights table(type, 34, 256, 5);
      packed_weights packed(table.view(), p.ops->packing);
      rows expected(5, 256);
      rows found(5, 256);
      p.ops->embed_rows({table.view(), ids, expected.view()}, pool);
      p.ops->embed_rows({packed.view(), ids, found.view()}, pool);
      BOOST_TEST(same_bytes(found.values, expected.values),
                 p.name << " " << name(type));
    }
  }
}

BOOST_AUTO_TEST_CASE(foreign_panels_and_bad_rows_are_refused) {
  for (const path& p : paths()) {
    if (!packs(*p.ops, dtype::q4_0, 64)) {
      continue;
    }
    const weights w(dtype::q4_0, 40, 64, 1);
    scratch panel(p.ops->packing.panel_bytes(dtype::q4_0, 64));
    BOOST_CHECK_THROW(p.ops->packing.pack_panel(w.view(), panel.span().data()),
                      contract_violation); // 40 rows at once
    packed_weights packed(w.view(), p.ops->packing);
    std::vector<float> row(64);
    BOOST_CHECK_THROW(p.ops->packing.unpack_row(packed.view(), 40, row.data()),
                      contract_violation);
    auto foreign = packed.view();
    foreign.row_stride_bytes += 64;
    rows x(1, 64);
    rows out(1, 40);
    scratch space(matmul_workspace_bytes(1, 64));
    const projection to{foreign, {}, out.view()};
    thread_pool pool(1);
    const matmul_args args{x.view(), {&to, 1}, space.span()};
    BOOST_CHECK_THROW(p.ops->matmul(args, pool), contract_violation);
    BOOST_CHECK_THROW(oracle().matmul(args, pool), contract_violation);
  }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace sluice::test
