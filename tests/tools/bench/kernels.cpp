// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/kernels/kernel_bench.hpp"

#include <set>

#include <boost/test/unit_test.hpp>

#include "kernels/check.hpp"
#include "kernels/convert.hpp"
#include "kernels/select.hpp"
#include "tools/bench/environment.hpp"
#include "tools/bench/kernels/weight_set.hpp"

using namespace sluice;
using namespace sluice::bench;

namespace {

std::vector<float> row_of(const matrix_view& view, std::int64_t row,
                          const weight_packing& packing) {
  std::vector<float> out(static_cast<std::size_t>(view.columns));
  if (view.layout == weight_layout::panels)
    packing.unpack_row(view, row, out.data());
  else
    dequantize_row(
        view.type,
        view.data + static_cast<std::size_t>(row) * view.row_stride_bytes, out);
  return out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(bench_kernels)

BOOST_AUTO_TEST_CASE(the_slower_of_memory_and_arithmetic_limits) {
  const op_case what{.bytes = 1e9, .operations = 4e9};
  const auto memory = least_time(what, 1e9, 1e10);
  BOOST_TEST(memory.seconds == 1.0);
  BOOST_TEST(memory.by_memory);
  const auto compute = least_time(what, 1e10, 2e9);
  BOOST_TEST(compute.seconds == 2.0);
  BOOST_TEST(!compute.by_memory);
  BOOST_TEST(least_time(what, 1e9, 0).by_memory); // no peak: bytes alone
}

BOOST_AUTO_TEST_CASE(every_path_has_probes_with_positive_speeds) {
  thread_pool pool{1};
  for (const auto isa : available_instruction_sets()) {
    roofline limits{isa, pool, 64 << 20};
    BOOST_TEST(limits.read_bytes_per_second() > 0);
    BOOST_TEST(limits.operations_per_second(peak_kind::int8) > 0);
    BOOST_TEST(limits.operations_per_second(peak_kind::f32) > 0);
    BOOST_TEST(limits.operations_per_second(peak_kind::none) == 0);
    const bool has_bf16 = !limits.instructions(peak_kind::bf16).empty();
    BOOST_TEST((limits.operations_per_second(peak_kind::bf16) > 0) == has_bf16);
    BOOST_CHECK(limits.supported(peak_kind::bf16) ==
                (has_bf16 ? peak_kind::bf16 : peak_kind::f32));
  }
}

BOOST_AUTO_TEST_CASE(layers_are_equal_but_lie_apart) {
  thread_pool pool{2};
  const matrix_shape shapes[] = {{20, 256}, {7, 256}};
  for (const auto isa : available_instruction_sets())
    for (const auto type : {dtype::q4_0, dtype::w8a8, dtype::bf16}) {
      const auto& packing = select(isa).packing;
      weight_set weights{type, shapes, 40'000, packing, pool};
      const auto first = weights.next_layer();
      const auto second = weights.next_layer();
      BOOST_TEST(first[0].data != second[0].data);
      for (std::size_t i = 0; i < 2; ++i) {
        BOOST_TEST(reinterpret_cast<std::uintptr_t>(first[i].data) % 64 == 0u);
        BOOST_TEST(first[i].rows == shapes[i].rows);
        for (std::int64_t row = 0; row < shapes[i].rows; ++row)
          BOOST_TEST(row_of(first[i], row, packing) ==
                         row_of(second[i], row, packing),
                     boost::test_tools::per_element());
      }
      BOOST_TEST(row_of(first[0], 0, packing) != row_of(first[0], 1, packing));
      BOOST_CHECK((weights.layout() == weight_layout::panels) ==
                  (packing.panel_bytes(type, 256) > 0));
    }
}

BOOST_AUTO_TEST_CASE(every_op_is_measured) {
  const kernel_plan plan{
      .isa = instruction_set::portable,
      .threads = 1,
      .types = {dtype::q4_0},
      .cache_types = {dtype::f16},
      .ops = {},
      .choice = {.shape = {"tiny", 256, 4, 2, 64, 512}, .rows = {1, 2}},
      .rounds = 1,
      .seconds = 0};
  std::set<std::string> ops;
  const auto report = measure_kernels(plan, [&](const kernel_row& row) {
    ops.insert(row.what.op);
    BOOST_TEST(row.seconds.median > 0, row.what.op);
    BOOST_TEST(row.part.median > 0, row.what.op);
  });
  const auto expected = op_names();
  BOOST_TEST(ops.size() == expected.size());
  for (const auto& op : expected)
    BOOST_TEST(ops.count(op) == 1u, op);
  BOOST_TEST(report.limits.read.median > 0);
}

BOOST_AUTO_TEST_CASE(what_a_path_lacks_is_refused_or_left_out) {
  kernel_plan plan{
      .isa = instruction_set::portable,
      .types = {dtype::i32},
      .ops = {"matmul"},
      .choice = {.shape = {"tiny", 256, 4, 2, 64, 512}, .rows = {1}},
      .rounds = 1,
      .seconds = 0};
  const auto ignore = [](const kernel_row&) {};
  BOOST_CHECK_THROW(measure_kernels(plan, ignore), contract_violation);
  plan.skip_unsupported = true;
  BOOST_TEST(measure_kernels(plan, ignore).rows.empty());
}

BOOST_AUTO_TEST_CASE(the_processors_name_is_found) {
  BOOST_TEST(processor_name("processor\t: 0\nmodel name\t: AMD EPYC 9555\n") ==
             "AMD EPYC 9555");
  BOOST_TEST(processor_name("processor\t: 0\n") == "unknown");
  BOOST_TEST(!this_environment().commit.empty());
  BOOST_TEST(this_environment().date.size() == 20u);
}

BOOST_AUTO_TEST_SUITE_END()
