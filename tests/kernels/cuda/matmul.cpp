// SPDX-License-Identifier: Apache-2.0
#include "kernels/check.hpp"
#include "kernels/cuda/matmul_library.hpp"
#include "kernels/cuda/matmul_plan.hpp"
#include "tests/kernels/cuda/matmul_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <limits>
#include <optional>

using namespace sluice;
using namespace sluice::cuda;
using namespace sluice::test;

namespace {

// The widened weights times x in double, plus bias.
std::vector<float> oracle(const file_weight& weight, const operand_rows& x,
                          const std::vector<float>& bias) {
  std::vector<float> out;
  for (std::int64_t m = 0; m < x.rows; ++m)
    for (std::int64_t n = 0; n < weight.rows; ++n) {
      const auto w = weight.widened(n);
      double sum = bias.empty() ? 0 : bias[static_cast<std::size_t>(n)];
      for (std::size_t k = 0; k < w.size(); ++k) {
        const float value =
            weight.type == dtype::f32 ? bf16_to_f32(f32_to_bf16(w[k])) : w[k];
        sum += double{value} * x.widened(m, k);
      }
      out.push_back(static_cast<float>(sum));
    }
  return out;
}

double difference(const std::vector<float>& a, const std::vector<float>& b) {
  double worst = 0, largest = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    worst = std::fmax(worst, std::fabs(double{a[i]} - b[i]));
    largest = std::fmax(largest, std::fabs(double{b[i]}));
    if (std::isnan(a[i]) != std::isnan(b[i]))
      return std::numeric_limits<double>::infinity();
  }
  return worst / largest;
}

// f32 sums of some hundred products.
constexpr double tolerance = 2e-6;

// One row of x at a time against all at once, with and without a workspace.
void check_rows(const matmul_problem& all, std::span<const std::int64_t> counts,
                const char* what) {
  const auto most = all.x.rows;
  const auto n = static_cast<std::size_t>(all.weight.rows);
  std::vector<float> single;
  for (std::int64_t m = 0; m < most; ++m) {
    const auto row = all.run(m, 1);
    single.insert(single.end(), row.begin(), row.end());
  }
  for (const auto count : counts)
    for (const bool shared : {true, false}) {
      const std::vector<float> wanted(
          single.begin(),
          single.begin() + count * static_cast<std::ptrdiff_t>(n));
      BOOST_TEST(same_bits(all.run(0, count, shared), wanted),
                 what << ", " << count << " rows, workspace " << shared);
    }
}

matmul_problem long_prompt(dtype type, std::int64_t n) {
  matmul_problem one{type, library_rows + 1, n, type == dtype::w8a8 ? 80 : 64};
  one.bias.clear();
  one.mode = determinism::fast;
  return one;
}

// With room for some rows of the weight at a time; n a multiple of 4.
std::vector<float> by_library(const matmul_problem& one,
                              std::int64_t strip_rows) {
  stream work;
  matmul_call call{work, {&one, 1}, 0, one.x.rows, true, one.weight.rows};
  call.args.workspace_bytes =
      counter_bytes + library_workspace_bytes +
      static_cast<std::size_t>(strip_rows) * one.x.row_size;
  BOOST_TEST(multiply_by_library(call.args, call.projections[0], work));
  return call.out(0);
}

} // namespace

BOOST_AUTO_TEST_SUITE(cuda_matmul)

BOOST_AUTO_TEST_CASE(agrees_with_the_oracle) {
  for (const auto type : weight_types()) {
    const auto step = std::max<std::int64_t>(block_elements(type), 16);
    struct shape {
      std::int64_t m, n, k;
    };
    const shape shapes[] = {{1, 1, step},       {3, 17, 3 * step},
                            {8, 40, 512},       {5, 16, 256 + step},
                            {11, 30, 3 * step}, {17, 33, 512}};
    double worst = 0;
    for (const auto& s : shapes) {
      const matmul_problem one{type, s.m, s.n, s.k};
      const auto off =
          difference(one.run(0, s.m), oracle(one.weight, one.x, one.bias));
      BOOST_TEST(off <= tolerance, name(type) << " m=" << s.m << " n=" << s.n
                                              << " k=" << s.k << ": " << off);
      worst = std::fmax(worst, off);
    }
    BOOST_TEST_MESSAGE(name(type) << ": largest difference " << worst);
  }
}

BOOST_AUTO_TEST_CASE(rows_do_not_depend_on_their_number) {
  for (const auto type :
       {dtype::bf16, dtype::f16, dtype::q8_0, dtype::q4_0, dtype::q4_k,
        dtype::q6_k, dtype::q2_k, dtype::w8a8, dtype::fp8}) {
    constexpr std::int64_t counts[] = {2, 4, 5, 8, 9, 19};
    check_rows({type, 19, 21, 768}, counts, name(type).data());
  }
}

BOOST_AUTO_TEST_CASE(rows_do_not_depend_on_the_tiles_of_many) {
  constexpr std::int64_t counts[] = {33, 65, 70};
  for (const auto type :
       {dtype::bf16, dtype::q4_0, dtype::q5_k, dtype::w8a8, dtype::fp8})
    check_rows({type, 70, 18, 512}, counts, name(type).data());
}

// Of 144 rows two blocks of rows, the second of one tile; of 1,040 columns
// slices of different lengths and half a chunk at the end.
BOOST_AUTO_TEST_CASE(odd_borders_are_met) {
  const matmul_problem one{dtype::bf16, 10, 144, 1040};
  BOOST_TEST(difference(one.run(0, 10), oracle(one.weight, one.x, one.bias)) <=
             tolerance);
  constexpr std::int64_t counts[] = {10};
  check_rows(one, counts, "bf16");
}

BOOST_AUTO_TEST_CASE(projections_of_one_call_do_not_meet) {
  const dtype types[] = {dtype::q4_k, dtype::q6_k, dtype::q4_k, dtype::bf16,
                         dtype::q4_k, dtype::q4_k, dtype::q4_k, dtype::f32};
  for (const std::int64_t m : {1, 3, 12}) {
    std::vector<matmul_problem> problems;
    std::int64_t n = 10;
    for (const auto type : types)
      problems.emplace_back(type, m, n += 15, 256);
    BOOST_TEST(run_together(problems) == run_apart(problems));
  }
}

BOOST_AUTO_TEST_CASE(the_workspace_is_left_as_it_was) {
  matmul_problem one{dtype::bf16, 12, 40, 512};
  const auto first = one.run(0, 12);
  BOOST_TEST(one.workspace_is_clean());
  BOOST_TEST(same_bits(one.run(0, 12), first));
}

BOOST_AUTO_TEST_CASE(a_bias_may_be_missing) {
  matmul_problem one{dtype::q8_0, 3, 20, 64};
  one.bias.clear();
  BOOST_TEST(difference(one.run(0, 3), oracle(one.weight, one.x, {})) <=
             tolerance);
}

BOOST_AUTO_TEST_CASE(fast_mode_agrees_with_the_oracle) {
  for (const auto type : {dtype::bf16, dtype::f16, dtype::q8_0, dtype::q4_0,
                          dtype::q4_k, dtype::q6_k, dtype::q2_k, dtype::w8a8})
    for (const std::int64_t m : {1, 8, 9, 40}) {
      matmul_problem one{type, m, 20, 1280};
      one.mode = determinism::fast;
      const auto off =
          difference(one.run(0, m), oracle(one.weight, one.x, one.bias));
      BOOST_TEST(off <= tolerance, name(type) << " m=" << m << ": " << off);
    }
}

BOOST_AUTO_TEST_CASE(fast_mode_projects_several_weights) {
  for (const std::int64_t m : {2, 20}) {
    std::vector<matmul_problem> problems;
    for (const std::int64_t n : {40, 150, 18})
      problems.emplace_back(dtype::bf16, m, n, 1040).mode = determinism::fast;
    const auto together = run_together(problems);
    for (std::size_t i = 0; i < problems.size(); ++i) {
      const auto& one = problems[i];
      BOOST_TEST(difference(together[i], oracle(one.weight, one.x, one.bias)) <=
                 tolerance);
    }
  }
}

// Where there is a library: weights in strips of 128 rows and whole, odd sizes.
BOOST_AUTO_TEST_CASE(long_prompts_may_go_to_a_library) {
  if (library_name().empty())
    return;
  for (const auto type : {dtype::bf16, dtype::f16, dtype::w8a8}) {
    const auto one = long_prompt(type, 152);
    const auto wanted = oracle(one.weight, one.x, one.bias);
    for (const std::int64_t rows : {128, 256})
      BOOST_TEST(difference(by_library(one, rows), wanted) <= tolerance,
                 name(type) << ", strips of " << rows);
  }
}

BOOST_AUTO_TEST_CASE(long_prompts_of_whole_numbers_are_exact) {
  auto one = long_prompt(dtype::w8a8, 20);
  one.bias = uniform_floats(20, 5);
  one.mode = determinism::strict;
  const auto strict = one.run(0, one.x.rows);
  one.mode = determinism::fast;
  BOOST_TEST(same_bits(one.run(0, one.x.rows), strict));
}

BOOST_AUTO_TEST_CASE(what_is_not_the_librarys_is_left_to_our_kernels) {
  stream work;
  const auto is_taken = [&](const matmul_problem& one, std::int64_t rows) {
    matmul_call call{work, {&one, 1}, 0, rows, true, 20};
    return multiply_by_library(call.args, call.projections[0], work);
  };
  auto one = long_prompt(dtype::bf16, 20);
  BOOST_TEST(is_taken(one, library_rows) == !library_name().empty());
  BOOST_TEST(!is_taken(one, library_rows - 1));
  one.bias = uniform_floats(20, 5);
  BOOST_TEST(!is_taken(one, library_rows));
  BOOST_TEST(!is_taken(long_prompt(dtype::q4_0, 20), library_rows));
  one = long_prompt(dtype::bf16, 20);
  one.mode = determinism::strict;
  BOOST_TEST(!is_taken(one, library_rows));
}

BOOST_AUTO_TEST_CASE(non_finite_input_stays_in_its_row) {
  for (const auto type : {dtype::bf16, dtype::f16, dtype::q4_0, dtype::q4_k,
                          dtype::q6_k, dtype::q4_1, dtype::w8a8, dtype::fp8})
    for (const std::int64_t m : {3, 12}) {
      matmul_problem one{type, m, 18, 256};
      one.x.spoil(1);
      const auto out = one.run(0, m);
      for (std::size_t i = 0; i < out.size(); ++i)
        BOOST_TEST(std::isfinite(out[i]) == (i / 18 != 1), name(type)
                                                               << " " << i);
    }
}

// What no row of x reads is not written either.
BOOST_AUTO_TEST_CASE(nothing_is_written_outside_the_result) {
  for (const std::int64_t m : {1, 12}) {
    const matmul_problem one{dtype::bf16, m, 18, 64};
    const auto padded = one.run_padded(24);
    for (std::size_t i = 0; i < padded.size(); ++i)
      BOOST_TEST(std::isnan(padded[i]) == (i % 24 >= 18));
  }
}

BOOST_AUTO_TEST_CASE(no_rows_are_no_work) {
  const matmul_problem one{dtype::bf16, 1, 18, 64};
  BOOST_TEST(one.run(0, 0).empty());
}

BOOST_AUTO_TEST_CASE(mistakes_are_refused) {
  stream work;
  const matmul_problem one{dtype::bf16, 2, 18, 64};
  const auto refused = [&](auto change) {
    matmul_call call{work, {&one, 1}, 0, 2, true, 20};
    BOOST_CHECK_NO_THROW(matmul(call.args, work));
    change(call);
    BOOST_CHECK_THROW(matmul(call.args, work), contract_violation);
  };
  refused([](matmul_call& c) { c.args.x.columns = 32; });
  refused([](matmul_call& c) { c.args.x.rows = 3; });
  refused([](matmul_call& c) { c.args.x.rows = -1; });
  refused([](matmul_call& c) { c.args.x.type = dtype::f16; });
  refused([](matmul_call& c) { c.args.x.data = nullptr; });
  refused([](matmul_call& c) { c.args.x.data += 8; });
  refused([](matmul_call& c) { --c.args.workspace_bytes; });
  refused([](matmul_call& c) { c.projections[0].weight.data += 4; });
  refused([](matmul_call& c) { c.projections[0].weight.data = nullptr; });
  refused([](matmul_call& c) { c.projections[0].weight.rows = 17; });
  refused([](matmul_call& c) { c.projections[0].out.row_stride = 18; });
  refused([](matmul_call& c) { c.projections[0].out.row_stride = 16; });
  refused([](matmul_call& c) { c.projections[0].out.data = nullptr; });
}

BOOST_AUTO_TEST_SUITE_END()
