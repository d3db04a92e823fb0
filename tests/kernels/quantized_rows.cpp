// SPDX-License-Identifier: Apache-2.0
#include "kernels/check.hpp"
#include "kernels/contracts.hpp"
#include "tests/kernels/fixtures.hpp"

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <limits>

// Ops that leave their rows quantised for the matmul after them.

namespace sluice::test {

namespace {

struct shape {
  std::int64_t rows;
  std::int64_t columns;
};

// Parts of a group, whole groups, and both.
const shape shapes[] = {{1, 32},   {3, 96},  {1, 256},  {2, 288},
                        {7, 1024}, {40, 64}, {300, 544}};

/// An op, called with its result as f32 rows or quantised.
struct producer {
  const char* name;
  std::function<void(const op_table&, const activations& out, quantized_rows,
                     thread_pool&)>
      run;
};

/// Input of every producer for one shape; each call starts from it anew.
struct producers {
  explicit producers(const shape& s)
      : x(s.rows, s.columns, 1, 5), other(s.rows, s.columns, 2, 5),
        weight(random_floats(s.columns, 3)) {}

  std::vector<producer> all() {
    return {{"rms_norm",
             [this](const op_table& ops, const activations& out,
                    quantized_rows quantized, thread_pool& pool) {
               ops.rms_norm({x.view(), weight, 1e-5f, out, quantized}, pool);
             }},
            {"add_rms_norm",
             [this](const op_table& ops, const activations& out,
                    quantized_rows quantized, thread_pool& pool) {
               rows residual = other;
               ops.add_rms_norm(
                   {x.view(), residual.view(), weight, 1e-5f, out, quantized},
                   pool);
             }},
            {"swiglu", [this](const op_table& ops, const activations& out,
                              quantized_rows quantized, thread_pool& pool) {
               ops.swiglu({x.view(), other.view(), out, quantized}, pool);
             }}};
  }

  rows x;
  rows other;
  std::vector<float> weight;
};

/// A matmul behind a producer.
struct consumer {
  consumer(const op_table& ops, dtype type, const shape& s)
      : ops(ops), stored(type, 19, s.columns, 4),
        space(matmul_workspace_bytes(s.rows, s.columns)), out(s.rows, 19) {
    if (packs(ops, type, s.columns)) {
      packed.emplace_back(stored.view(), ops.packing);
    }
  }

  void run(const activations& x, bool quantized, thread_pool& pool) {
    const projection to{
        packed.empty() ? stored.view() : packed.front().view(), {}, out.view()};
    ops.matmul({x, {&to, 1}, space.span(), quantized}, pool);
  }

  const op_table& ops;
  weights stored;
  std::vector<packed_weights> packed;
  scratch space;
  rows out;
};

template <class T>
bool same(const T* a, const T* b, std::int64_t count) {
  return std::memcmp(a, b, static_cast<std::size_t>(count) * sizeof(T)) == 0;
}

bool same_form(const integer_input& a, const integer_input& b) {
  const std::int64_t n = a.rows * a.groups;
  return same(a.values, b.values, n * integer_input::group) &&
         same(a.scales, b.scales, n) && same(a.sums16, b.sums16, n * 16) &&
         same(a.sums32, b.sums32, n * 8) && same(a.short32, b.short32, n * 8) &&
         same(a.sums, b.sums, n);
}

integer_input form_of(scratch& space, const shape& s) {
  return split_workspace(space.span().data(), s.rows, s.columns).integers;
}

/// Calls `use(path, shape, producer)`, the oracle's path included.
template <class Use>
void for_every_producer(Use use) {
  auto all = paths();
  all.push_back({"reference", &oracle()});
  for (const path& p : all) {
    for (const shape& s : shapes) {
      producers made(s);
      for (const producer& one : made.all()) {
        use(p, s, one);
      }
    }
  }
}

} // namespace

BOOST_AUTO_TEST_SUITE(quantized_rows_of_ops)

BOOST_AUTO_TEST_CASE(are_the_bytes_that_matmul_makes_of_f32_rows) {
  for_every_producer([](const path& p, const shape& s, const producer& one) {
    for (const dtype type : {dtype::q8_0, dtype::q4_0, dtype::w8a8}) {
      for (const int threads : {1, 2}) {
        thread_pool pool(threads);
        rows between(s.rows, s.columns);
        consumer apart(*p.ops, type, s);
        one.run(*p.ops, between.view(), {}, pool);
        apart.run(between.view(), false, pool);
        rows untouched(s.rows, s.columns);
        consumer fused(*p.ops, type, s);
        one.run(*p.ops, untouched.view(), fused.space.span(), pool);
        fused.run(untouched.view(), true, pool);
        const auto what =
            p.name + " " + one.name + " " + std::string(name(type)) + " " +
            std::to_string(s.rows) + "x" + std::to_string(s.columns);
        BOOST_TEST(same_bytes(fused.out.values, apart.out.values), what);
        BOOST_TEST(same_form(form_of(fused.space, s), form_of(apart.space, s)),
                   what);
        BOOST_TEST(same_bytes(untouched.values, rows(s.rows, s.columns).values),
                   what);
      }
    }
  });
}

BOOST_AUTO_TEST_CASE(agree_with_the_oracle) {
  thread_pool pool(1);
  for_every_producer([&](const path& p, const shape& s, const producer& one) {
    rows unused(s.rows, s.columns);
    scratch found_space(matmul_workspace_bytes(s.rows, s.columns));
    scratch expected_space(found_space.size);
    one.run(*p.ops, unused.view(), found_space.span(), pool);
    one.run(oracle(), unused.view(), expected_space.span(), pool);
    const auto found = form_of(found_space, s);
    const auto expected = form_of(expected_space, s);
    double scale_off = 0;
    int value_off = 0; // of a value that lies between two integers, at most 1
    for (std::int64_t g = 0; g < found.groups * s.rows; ++g) {
      scale_off = std::fmax(
          scale_off, std::fabs(found.scales[g] / expected.scales[g] - 1));
    }
    for (std::int64_t i = 0; i < found.groups * s.rows * 256; ++i) {
      value_off =
          std::max(value_off, std::abs(found.values[i] - expected.values[i]));
    }
    BOOST_TEST(scale_off <= 1e-6, p.name << " " << one.name);
    BOOST_TEST(value_off <= 1, p.name << " " << one.name);
  });
}

BOOST_AUTO_TEST_CASE(of_nothing_finite_stay_visible) {
  thread_pool pool(1);
  for (const path& p : paths()) {
    const shape s{2, 288};
    producers made(s);
    made.x.values[288 + 3] = std::numeric_limits<float>::infinity();
    for (const producer& one : made.all()) {
      consumer fused(*p.ops, dtype::q8_0, s);
      rows unused(s.rows, s.columns);
      one.run(*p.ops, unused.view(), fused.space.span(), pool);
      fused.run(unused.view(), true, pool);
      BOOST_TEST(std::isfinite(fused.out.values[0]), p.name << one.name);
      BOOST_TEST(!std::isfinite(fused.out.values[19]), p.name << one.name);
    }
  }
}

BOOST_AUTO_TEST_CASE(need_a_workspace_and_weights_that_quantise) {
  thread_pool pool(1);
  const shape s{2, 288};
  producers made(s);
  for (const path& p : paths()) {
    rows out(s.rows, s.columns);
    consumer dense(*p.ops, dtype::f32, s);
    const auto room = dense.space.span();
    for (const producer& one : made.all()) {
      BOOST_CHECK_THROW(
          one.run(*p.ops, out.view(), room.first(room.size() - 1), pool),
          contract_violation);
      BOOST_CHECK_THROW(one.run(*p.ops, out.view(), room.subspan(4), pool),
                        contract_violation);
    }
    BOOST_CHECK_THROW(dense.run(out.view(), true, pool), contract_violation);
  }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace sluice::test
