// SPDX-License-Identifier: Apache-2.0
#include "kernels/check.hpp"
#include "kernels/reference/reference.hpp"
#include "tests/kernels/cuda/row_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <vector>

using namespace sluice;
using namespace sluice::test;

namespace {

constexpr dtype operand_types[] = {dtype::bf16, dtype::f16, dtype::i8,
                                   dtype::f8_e4m3};

struct norm_fixture {
  cuda::stream work;
  thread_pool pool{{.threads = 1}};

  /// What the oracle makes of x, with x updated.
  std::vector<float> wanted(device_matrix& x, device_matrix* update,
                            const std::vector<float>& weight) {
    const auto rows = x.host();
    std::vector<float> out(static_cast<std::size_t>(rows.rows * rows.columns));
    const activations to{out.data(), rows.rows, rows.columns, rows.columns};
    if (update)
      reference::add_rms_norm({.x = update->host(),
                               .residual = rows,
                               .weight = weight,
                               .epsilon = 1e-5f,
                               .out = to},
                              pool);
    else
      reference::rms_norm(
          {.x = rows, .weight = weight, .epsilon = 1e-5f, .out = to}, pool);
    return out;
  }

  void compare(dtype type, std::int64_t columns, bool updates,
               std::vector<float> values) {
    const auto width = static_cast<std::size_t>(columns);
    const auto rows = static_cast<std::int64_t>(values.size() / width);
    const auto weight = uniform_floats(width, 8, 2);
    device_matrix x{work, columns, values, 4};
    device_matrix update{work, columns, uniform_floats(values.size(), 9), 8};
    const device_array<float> device_weight{work, weight};
    const device_operand out{work, type, rows, columns};
    cuda::rms_norm({.x = x.view(),
                    .update = updates ? update.view() : cuda::device_rows{},
                    .weight = device_weight.data(),
                    .epsilon = 1e-5f,
                    .out = out.view()},
                   work);
    const auto expected = wanted(x, updates ? &update : nullptr, weight);
    check_rounded(out, expected, columns);
    const auto host = x.host();
    const std::vector<float> residual(host.data, host.data + values.size());
    const auto found = x.values();
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < residual.size(); ++i)
      wrong += found[i] != residual[i] && residual[i] == residual[i];
    BOOST_TEST(wrong == 0u);
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(cuda_norm, norm_fixture)

BOOST_AUTO_TEST_CASE(rows_are_those_of_the_oracle) {
  for (const auto type : operand_types)
    for (const bool updates : {false, true})
      for (const std::int64_t columns : {16, 144, 2048})
        compare(type, columns, updates,
                uniform_floats(static_cast<std::size_t>(3 * columns), 7, 30));
}

BOOST_AUTO_TEST_CASE(rows_past_what_is_kept_are_read_again) {
  for (const auto type : {dtype::bf16, dtype::i8, dtype::f8_e4m3})
    compare(type, 16384 + 48, true, uniform_floats(16384 + 48, 7));
}

BOOST_AUTO_TEST_CASE(rows_with_nans_and_of_nothing_stay_apart) {
  for (const auto type : operand_types) {
    auto values = uniform_floats(4 * 64, 7);
    values[3] = not_a_number;
    values[64 + 5] = infinity;
    std::fill_n(values.begin() + 128, 64, 0.0f);
    compare(type, 64, false, values);
  }
}

BOOST_AUTO_TEST_CASE(a_row_is_the_same_bytes_alone_and_in_a_batch) {
  for (const auto type : operand_types) {
    const auto values = uniform_floats(5 * 528, 7);
    const device_array<float> weight{work, uniform_floats(528, 8)};
    const device_matrix x{work, 528, values};
    const device_operand together{work, type, 5, 528};
    const device_operand alone{work, type, 5, 528};
    cuda::norm_args args{.x = x.view(),
                         .update = {},
                         .weight = weight.data(),
                         .epsilon = 1e-5f,
                         .out = together.view()};
    cuda::rms_norm(args, work);
    for (std::int64_t row = 0; row < 5; ++row) {
      args.x = x.view(row, 1);
      args.out = alone.view(row, 1);
      cuda::rms_norm(args, work);
    }
    BOOST_TEST((together.bytes() == alone.bytes()));
    if (is_scaled(type))
      BOOST_TEST(together.scales() == alone.scales());
  }
}

BOOST_AUTO_TEST_CASE(mistakes_are_refused) {
  const device_matrix x{work, 2, 32};
  const device_matrix narrow{work, 2, 16};
  const device_array<float> weight{work, uniform_floats(32, 8)};
  const device_operand out{work, dtype::i8, 2, 32};
  const cuda::norm_args good{.x = x.view(),
                             .update = {},
                             .weight = weight.data(),
                             .epsilon = 1e-5f,
                             .out = out.view()};
  const auto refused = [&](auto change) {
    auto bad = good;
    change(bad);
    BOOST_CHECK_THROW(cuda::rms_norm(bad, work), contract_violation);
  };
  refused([](auto& bad) { bad.out.type = dtype::f32; });
  refused([](auto& bad) { bad.out.scales = nullptr; });
  refused([](auto& bad) { bad.out.rows = 1; });
  refused([](auto& bad) { bad.weight = nullptr; });
  refused([](auto& bad) { bad.epsilon = -1; });
  refused([](auto& bad) { bad.epsilon = not_a_number; });
  refused([&](auto& bad) { bad.update = narrow.view(); });
}

BOOST_AUTO_TEST_SUITE_END()
