// SPDX-License-Identifier: Apache-2.0
#include "kernels/check.hpp"
#include "kernels/convert.hpp"
#include "kernels/select.hpp"
#include "tests/kernels/fixtures.hpp"

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <limits>
#include <optional>
#include <string>

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

const shape super_shapes[] = {
    {1, 1, 256}, {2, 17, 768}, {5, 33, 512}, {9, 16, 256}, {13, 40, 512}};

std::span<const shape> shapes_of(dtype type) {
  switch (block_elements(type)) {
  case 1:
    return dense_shapes;
  case 32:
    return block_shapes;
  default:
    return super_shapes;
  }
}

// A row of the smallest size that has a whole and a partial group, if any.
std::int64_t row_length(dtype type) {
  return block_elements(type) == 256 ? 512 : 288;
}

constexpr double tolerance = 3e-6; // relative to the largest output

struct problem {
  problem(dtype type, const shape& s)
      : x(s.m, s.k, 1), w(type, s.n, s.k, 2), bias(random_floats(s.n, 3)),
        space(matmul_workspace_bytes(s.m, s.k)) {}

  /// From here on the weights lie as `ops` packs them.
  void pack(const op_table& ops) { packed.emplace(w.view(), ops.packing); }

  std::vector<float> run(const op_table& ops, thread_pool& pool,
                         std::int64_t first, std::int64_t count) {
    rows out(count, w.height);
    const projection to{packed ? packed->view() : w.view(), bias, out.view()};
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

  /// With x rounded to bf16.
  std::vector<float> run_rounded(const op_table& ops) const {
    problem other = *this;
    for (float& value : other.x.values) {
      value = bf16_to_f32(f32_to_bf16(value));
    }
    return other.run(ops, 1);
  }

  rows x;
  weights w;
  std::vector<float> bias;
  scratch space;
  std::optional<packed_weights> packed;
};

/// Calls `use(path, type, pack, what)` for every path, type and layout: `pack`
/// brings a problem into it.
template <class Use>
void for_every_layout(Use use) {
  for (const path& p : paths()) {
    for (const dtype type : weight_types()) {
      const auto what = p.name + " " + std::string(name(type));
      use(
          p, type, [](problem&) {}, what + " rows");
      if (packs(*p.ops, type, 256)) {
        use(
            p, type, [&](problem& one) { one.pack(*p.ops); }, what + " panels");
      }
    }
  }
}

} // namespace

BOOST_AUTO_TEST_SUITE(matmul)

BOOST_AUTO_TEST_CASE(agrees_with_the_oracle) {
  for_every_layout([](const path& p, dtype type, auto pack,
                      const std::string& what) {
    double worst = 0;
    for (const shape& s : shapes_of(type)) {
      problem one(type, s);
      const auto expected = one.run(oracle(), 1);
      const auto rounded = one.run_rounded(oracle());
      pack(one);
      const auto found = one.run(*p.ops, 2);
      double off = relative_difference(found, expected);
      if (type == dtype::bf16) { // may meet an x that was rounded to bf16
        off = std::fmin(off, relative_difference(found, rounded));
      }
      BOOST_TEST(off <= tolerance, what << " m=" << s.m << " n=" << s.n
                                        << " k=" << s.k << ": " << off);
      worst = std::fmax(worst, off);
    }
    BOOST_TEST_MESSAGE("matmul " << what << ": largest difference " << worst);
  });
}

// Integer sums are exact, so tiles change no byte of a quantised type.
BOOST_AUTO_TEST_CASE(tiles_of_amx_give_the_bytes_of_avx512) {
  if (!available(instruction_set::amx)) {
    BOOST_TEST_MESSAGE("skipped: no AMX here");
    return;
  }
  const op_table& plain = select(instruction_set::avx512);
  for (const dtype type : weight_types()) {
    if (type == dtype::bf16 || !packs(plain, type, 256)) {
      continue;
    }
    for (const std::int64_t m : {1, 8, 11, 12, 16, 27, 40, 200}) {
      problem one(type, {m, 75, row_length(type)});
      one.pack(plain);
      const auto expected = one.run(plain, 1);
      const auto found = one.run(select(instruction_set::amx), 2);
      BOOST_TEST(found == expected, name(type) << " m=" << m);
    }
  }
}

BOOST_AUTO_TEST_CASE(rows_do_not_depend_on_their_number_or_the_threads) {
  for_every_layout(
      [](const path& p, dtype type, auto pack, const std::string& what) {
        problem all(type, {512, 37, row_length(type)});
        pack(all);
        // Weights in rows have no kernel for many rows of x.
        const std::int64_t most = all.packed ? 512 : 33;
        thread_pool one(1);
        std::vector<float> single;
        for (std::int64_t m = 0; m < most; ++m) {
          const auto row = all.run(*p.ops, one, m, 1);
          single.insert(single.end(), row.begin(), row.end());
        }
        for (const int threads : {1, 2, 3}) {
          thread_pool pool(threads);
          for (const std::int64_t m : {2, 3, 5, 8, 9, 17, 32, 33, 64, 512}) {
            if (m <= most) {
              auto expected = single;
              expected.resize(static_cast<std::size_t>(m * 37));
              BOOST_TEST(same_bytes(all.run(*p.ops, pool, 0, m), expected),
                         what << " m=" << m << " threads=" << threads);
            }
          }
        }
      });
}

BOOST_AUTO_TEST_CASE(projections_of_one_call_do_not_meet) {
  const dtype types[] = {dtype::q4_k, dtype::q6_k, dtype::f32, dtype::q4_k};
  for (const path& p : paths()) {
    for (const std::int64_t m : {1, 40}) {
      rows x(m, 512, 9);
      scratch space(matmul_workspace_bytes(m, 512));
      std::vector<weights> stored;
      std::vector<packed_weights> packed;
      std::vector<rows> together;
      std::vector<rows> alone;
      for (const dtype type : types) {
        const auto n = static_cast<std::int64_t>(17 + 20 * stored.size());
        stored.emplace_back(type, n, 512, 4);
        together.emplace_back(m, n);
        alone.emplace_back(m, n);
        if (packs(*p.ops, type, 512)) {
          packed.emplace_back(stored.back().view(), p.ops->packing);
        }
      }
      std::vector<projection> all;
      std::size_t next = 0;
      for (std::size_t i = 0; i < stored.size(); ++i) {
        const bool packs_it = packs(*p.ops, types[i], 512);
        all.push_back({packs_it ? packed[next++].view() : stored[i].view(),
                       {},
                       together[i].view()});
      }
      thread_pool pool(2);
      p.ops->matmul({x.view(), all, space.span()}, pool);
      for (std::size_t i = 0; i < all.size(); ++i) {
        projection one = all[i];
        one.out = alone[i].view();
        p.ops->matmul({x.view(), {&one, 1}, space.span()}, pool);
        BOOST_TEST(same_bytes(together[i].values, alone[i].values),
                   p.name << " m=" << m << " projection " << i);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(quantising_x_costs_little_accuracy) {
  for (const path& p : paths()) {
    for (const dtype type : {dtype::q8_0, dtype::q4_0}) {
      problem one(type, {4, 64, 1024});
      if (packs(*p.ops, type, 1024)) {
        one.pack(*p.ops);
      }
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
  // -128 is legal in a file and -128 * -127 * 2 in one pair of products.
  for (const path& p : paths()) {
    for (const float sign : {1.0f, -1.0f}) {
      problem one(dtype::q8_0, {1, 2, 64});
      for (std::size_t block = 0; block < 4; ++block) {
        for (std::size_t i = 0; i < 32; ++i) {
          one.w.bytes[block * 34 + 2 + i] = std::byte{0x80};
        }
      }
      one.x.values.assign(64, sign);
      const auto expected = one.run(oracle(), 1);
      BOOST_TEST(relative_difference(one.run(*p.ops, 1), expected) < 1e-6);
      if (packs(*p.ops, dtype::q8_0, 64)) {
        one.pack(*p.ops);
        BOOST_TEST(relative_difference(one.run(*p.ops, 1), expected) < 1e-6);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(non_finite_input_stays_visible) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(),
                          std::numeric_limits<float>::infinity()}) {
    for_every_layout(
        [bad](const path& p, dtype type, auto pack, const std::string& what) {
          problem one(type, {2, 3, row_length(type)});
          pack(one);
          one.x.values[static_cast<std::size_t>(row_length(type)) + 6] = bad;
          const auto out = one.run(*p.ops, 1);
          for (std::size_t n = 0; n < 3; ++n) {
            BOOST_TEST(std::isfinite(out[n]), what);
            BOOST_TEST(!std::isfinite(out[3 + n]), what);
          }
        });
  }
}

BOOST_AUTO_TEST_CASE(groups_of_zero_and_of_tiny_values_are_zero) {
  for (const float value : {0.0f, 1e-38f, -1e-42f}) {
    for_every_layout(
        [value](const path& p, dtype type, auto pack, const std::string& what) {
          if (block_elements(type) == 1 && type != dtype::w8a8) {
            return; // dense types do not quantise x
          }
          problem one(type, {1, 2, row_length(type)});
          pack(one);
          one.x.values.assign(one.x.values.size(), value);
          BOOST_TEST(same_bytes(one.run(*p.ops, 1), one.bias), what);
        });
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
