// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/step_work.hpp"

#include "model/bare_model.hpp"

#include <boost/test/unit_test.hpp>

using namespace sluice;
using namespace sluice::bench;

namespace {

// An H100: 3 TB/s, 600 TFLOPS.
constexpr gpu_limits limits{3e12, 600e12, 1200e12};

step_work work_of(dtype type, dtype kv_type) {
  const auto model = bare_model({.shape = "llama-8b", .type = type});
  return {*model, {.kv_pages = 1, .kv_type = kv_type}};
}

} // namespace

BOOST_AUTO_TEST_SUITE(bench_step_work)

BOOST_AUTO_TEST_CASE(one_sequence_reads_every_matrix_a_step) {
  // 32 layers of 218,103,808 elements and a head of 525,336,576.
  const double bytes = 2 * (32.0 * 218'103'808 + 525'336'576);
  const double position = 2.0 * 32 * 8 * 128 * 2;
  const auto work = work_of(dtype::bf16, dtype::f16);
  BOOST_TEST(work.decode_seconds(1, 1000, 1, limits) ==
                 (bytes + 1001 * position) / 3e12,
             boost::test_tools::tolerance(1e-9));
  BOOST_TEST(work.decode_seconds(1, 1000, 3, limits) ==
                 (3 * bytes + (1001 + 1002 + 1003) * position) / 3e12,
             boost::test_tools::tolerance(1e-9));
}

BOOST_AUTO_TEST_CASE(smaller_types_read_less) {
  const auto seconds = [](dtype type, dtype kv_type) {
    return work_of(type, kv_type).decode_seconds(64, 1000, 10, limits);
  };
  BOOST_TEST(seconds(dtype::q4_0, dtype::f16) <
             seconds(dtype::bf16, dtype::f16));
  BOOST_TEST(seconds(dtype::q4_0, dtype::i8) <
             seconds(dtype::q4_0, dtype::f16));
}

BOOST_AUTO_TEST_CASE(prompts_are_bound_by_products) {
  const auto work = work_of(dtype::bf16, dtype::f16);
  const double products = 2 * (32.0 * 218'103'808 * 4096 + 525'336'576);
  const double attention = 4.0 * 32 * 32 * 128 * 4096 * 4097 / 2;
  BOOST_TEST(work.prompt_seconds(1, 4096, limits) ==
                 (products + attention) / 600e12,
             boost::test_tools::tolerance(1e-9));
  const auto integer = work_of(dtype::w8a8, dtype::f16);
  BOOST_TEST(integer.prompt_seconds(1, 4096, limits) ==
                 products / 1200e12 + attention / 600e12,
             boost::test_tools::tolerance(1e-9));
}

BOOST_AUTO_TEST_SUITE_END()
