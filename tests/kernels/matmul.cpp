// SPDX-License-Identifier: Apache-2.0
#include "kernels/check.hpp"
#include "kernels/convert.hpp"
#include "tests/kernels/fixtures.hpp"

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <limits>

namespace sluice::test {

namespace {

struct shape {
  std::int64_t m;
  std::int64_t n;
  std::int64_t k;
};

// Odd sizes and tails of every tile shape and vector width.
const shape dense_shapes[] = {{1, 1, 1},   {1, 7, 33},    {2, 5, 64},
                              {3, 13, 17}, {4, 16, 192},  {5, 9, 100},
                              {8, 33, 71}, {17, 64, 256}, {64, 31, 40}};
const shape block_shapes[] = {{1, 1, 32},   {1, 7, 64},    {2, 5, 96},
                              {3, 13, 160}, {4, 16, 192},  {5, 9, 32},
                              {8, 33, 224}, {17, 64, 256}, {64, 31, 96}};

struct format {
  dtype type;
  std::span<const shape> shapes;
  double tolerance; // relative to the largest output
};

const format formats[] = {{dtype::f32, dense_shapes, 3e-6},
                          {dtype::f16, dense_shapes, 3e-6},
                          {dtype::bf16, dense_shapes, 3e-6},
                          {dtype::q8_0, block_shapes, 3e-6},
                          {dtype::q4_0, block_shapes, 3e-6}};

struct problem {
  problem(dtype type, const shape& s)
      : x(s.m, s.k, 1), w(type, s.n, s.k, 2), bias(random_floats(s.n, 3)),
        space(matmul_workspace_bytes(s.m, s.k)) {}

  std::vector<float> run(const op_table& ops, thread_pool& pool,
                         std::int64_t first, std::int64_t count) {
    rows out(count, w.height);
    const projection to{w.view(), bias, out.view()};
    ops.matmul({.x = x.view(first, count),
                .projections = {&to, 1},
                .workspace = space.span()},
               pool);
    return out.values;
  }

  std::vector<float> run(const op_table& ops, int threads) {
    thread_pool pool(threads);
    return run(ops, pool, 0, x.height);
  }

  rows x;
  weights w;
  std::vector<float> bias;
  scratch space;
};

} // namespace

BOOST_AUTO_TEST_SUITE(matmul)

BOOST_AUTO_TEST_CASE(agrees_with_the_oracle) {
  for (const path& p : paths()) {
    for (const format& f : formats) {
      double worst = 0;
      for (const shape& s : f.shapes) {
        problem one(f.type, s);
        const double off =
            relative_difference(one.run(*p.ops, 2), one.run(oracle(), 1));
        BOOST_TEST(off <= f.tolerance, p.name << " " << name(f.type)
                                              << " m=" << s.m << " n=" << s.n
                                              << " k=" << s.k << ": " << off);
        worst = std::fmax(worst, off);
      }
      BOOST_TEST_MESSAGE("matmul " << p.name << " " << name(f.type)
                                   << ": largest difference " << worst);
    }
  }
}

BOOST_AUTO_TEST_CASE(rows_do_not_depend_on_their_number_or_the_threads) {
  for (const path& p : paths()) {
    for (const format& f : formats) {
      problem all(f.type, {64, 37, 288});
      thread_pool one(1);
      std::vector<float> single;
      for (std::int64_t m = 0; m < 64; ++m) {
        const auto row = all.run(*p.ops, one, m, 1);
        single.insert(single.end(), row.begin(), row.end());
      }
      for (const int threads : {1, 2, 3}) {
        thread_pool pool(threads);
        for (const std::int64_t m : {1, 2, 3, 5, 8, 17, 64}) {
          auto expected = single;
          expected.resize(static_cast<std::size_t>(m * 37));
          BOOST_TEST(same_bytes(all.run(*p.ops, pool, 0, m), expected),
                     p.name << " " << name(f.type) << " m=" << m
                            << " threads=" << threads);
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(quantising_x_costs_little_accuracy) {
  for (const path& p : paths()) {
    for (const dtype type : {dtype::q8_0, dtype::q4_0}) {
      problem one(type, {4, 64, 1024});
      std::vector<float> exact;
      for (std::int64_t m = 0; m < 4; ++m) {
        for (std::int64_t n = 0; n < 64; ++n) {
          std::vector<float> w(1024);
          dequantize_row(type,
                         one.w.bytes.data() + static_cast<std::size_t>(n) *
                                                  row_bytes(type, 1024),
                         w);
          double sum = one.bias[static_cast<std::size_t>(n)];
          for (std::size_t k = 0; k < 1024; ++k) {
            sum += static_cast<double>(w[k]) *
                   one.x.values[static_cast<std::size_t>(m) * 1024 + k];
          }
          exact.push_back(static_cast<float>(sum));
        }
      }
      BOOST_TEST(relative_difference(one.run(*p.ops, 1), exact) < 0.01);
    }
  }
}

BOOST_AUTO_TEST_CASE(extreme_quants_do_not_saturate) {
  // -128 is legal in a file and -127 * 127 * 2 in one pair of products.
  for (const path& p : paths()) {
    problem one(dtype::q8_0, {1, 2, 64});
    for (std::size_t block = 0; block < 4; ++block) {
      for (std::size_t i = 0; i < 32; ++i) {
        one.w.bytes[block * 34 + 2 + i] = std::byte{0x80};
      }
    }
    one.x.values.assign(64, -1.0f);
    BOOST_TEST(relative_difference(one.run(*p.ops, 1), one.run(oracle(), 1)) <
               1e-6);
  }
}

BOOST_AUTO_TEST_CASE(non_finite_input_stays_visible) {
  for (const path& p : paths()) {
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(),
                            std::numeric_limits<float>::infinity()}) {
      for (const format& f : formats) {
        problem one(f.type, {2, 3, 64});
        one.x.values[70] = bad;
        const auto out = one.run(*p.ops, 1);
        for (std::size_t n = 0; n < 3; ++n) {
          BOOST_TEST(std::isfinite(out[n]));
          BOOST_TEST(!std::isfinite(out[3 + n]), p.name << name(f.type));
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(blocks_of_zero_and_of_tiny_values_are_zero) {
  for (const path& p : paths()) {
    for (const float value : {0.0f, 1e-38f, -1e-42f}) {
      problem one(dtype::q8_0, {1, 2, 64});
      one.x.values.assign(64, value);
      BOOST_TEST(same_bytes(one.run(*p.ops, 1), one.bias));
    }
  }
}

BOOST_AUTO_TEST_CASE(wrong_shapes_are_refused) {
  thread_pool pool(1);
  for (const path& p : paths()) {
    problem one(dtype::q8_0, {2, 3, 64});
    rows out(2, 3);
    const projection good{one.w.view(), {}, out.view()};
    const matmul_args args{.x = one.x.view(), .workspace = one.space.span()};
    const auto refused = [&](const projection& to, matmul_args call) {
      call.projections = {&to, 1};
      BOOST_CHECK_THROW(p.ops->matmul(call, pool), contract_violation);
    };
    auto narrow = args;
    narrow.x.columns = 32;
    refused(good, narrow);
    auto cramped = args;
    cramped.workspace = args.workspace.first(args.workspace.size() - 1);
    refused(good, cramped);
    auto bad = good;
    bad.out.columns = 2;
    refused(bad, args);
    bad = good;
    bad.weight.row_stride_bytes = 10;
    refused(bad, args);
    bad = good;
    bad.bias = std::span<const float>(one.bias).first(2);
    refused(bad, args);
  }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace sluice::test
