// SPDX-License-Identifier: Apache-2.0
#include "kernels/check.hpp"
#include "kernels/convert.hpp"
#include "tests/kernels/fixtures.hpp"

#include <boost/test/unit_test.hpp>

#include <cmath>

namespace sluice::test {

namespace {

const std::int64_t widths[] = {1, 5, 8, 17, 64, 100, 192, 1000};

} // namespace

BOOST_AUTO_TEST_SUITE(elementwise)

BOOST_AUTO_TEST_CASE(rms_norm_agrees_with_the_oracle) {
  thread_pool pool(2);
  for (const path& p : paths()) {
    double worst = 0;
    for (const std::int64_t width : widths) {
      rows x(7, width, 1, 5);
      const auto weight = random_floats(width, 2);
      rows out(7, width);
      rows expected(7, width);
      p.ops->rms_norm({x.view(), weight, 1e-5f, out.view()}, pool);
      oracle().rms_norm({x.view(), weight, 1e-5f, expected.view()}, pool);
      const double off = relative_difference(out.values, expected.values);
      BOOST_TEST(off <= 1e-6, p.name << " width " << width << ": " << off);
      worst = std::fmax(worst, off);
    }
    BOOST_TEST_MESSAGE("rms_norm " << p.name << ": largest difference "
                                   << worst);
  }
}

BOOST_AUTO_TEST_CASE(add_rms_norm_is_the_sum_and_its_norm) {
  thread_pool pool(2);
  for (const path& p : paths()) {
    for (const std::int64_t width : widths) {
      rows x(5, width, 1);
      rows residual(5, width, 2);
      rows sum = residual;
      for (std::size_t i = 0; i < sum.values.size(); ++i) {
        sum.values[i] += x.values[i];
      }
      const auto weight = random_floats(width, 3);
      rows expected(5, width);
      p.ops->rms_norm({sum.view(), weight, 1e-6f, expected.view()}, pool);
      p.ops->add_rms_norm({x.view(), residual.view(), weight, 1e-6f, x.view()},
                          pool);
      BOOST_TEST(same_bytes(residual.values, sum.values), p.name);
      BOOST_TEST(same_bytes(x.values, expected.values), p.name);
    }
  }
}

BOOST_AUTO_TEST_CASE(norm_rows_do_not_depend_on_their_number) {
  for (const path& p : paths()) {
    rows x(300, 100, 1);
    const auto weight = random_floats(100, 2);
    rows all(300, 100);
    rows single(300, 100);
    for (const int threads : {1, 2, 3}) {
      thread_pool pool(threads);
      p.ops->rms_norm({x.view(), weight, 1e-5f, all.view()}, pool);
      for (std::int64_t r = 0; r < 300; ++r) {
        p.ops->rms_norm({x.view(r, 1), weight, 1e-5f, single.view(r, 1)}, pool);
      }
      BOOST_TEST(same_bytes(all.values, single.values), p.name);
    }
  }
}

BOOST_AUTO_TEST_CASE(swiglu_agrees_with_the_oracle) {
  thread_pool pool(2);
  for (const path& p : paths()) {
    double worst = 0;
    for (const std::int64_t width : widths) {
      rows both(6, 2 * width, 1, 120); // silu's exponent leaves f32's range
      activations gate = both.view();
      gate.columns = width;
      activations up = gate;
      up.data += width;
      rows out(6, width);
      rows expected(6, width);
      p.ops->swiglu({gate, up, out.view()}, pool);
      oracle().swiglu({gate, up, expected.view()}, pool);
      const double off = relative_difference(out.values, expected.values);
      BOOST_TEST(off <= 1e-6, p.name << " width " << width << ": " << off);
      worst = std::fmax(worst, off);
    }
    BOOST_TEST_MESSAGE("swiglu " << p.name << ": largest difference " << worst);
  }
}

BOOST_AUTO_TEST_CASE(swiglu_is_accurate_near_zero_and_keeps_nan) {
  thread_pool pool(1);
  for (const path& p : paths()) {
    rows gate(1, 4);
    rows up(1, 4);
    gate.values = {0.0f, 1e-3f, -1e-3f, NAN};
    up.values = {1, 1, 1, 1};
    rows out(1, 4);
    p.ops->swiglu({gate.view(), up.view(), out.view()}, pool);
    BOOST_TEST(out.values[0] == 0.0f);
    BOOST_TEST(std::fabs(out.values[1] - 5.0025e-4f) < 1e-9f);
    BOOST_TEST(std::fabs(out.values[2] + 4.9975e-4f) < 1e-9f);
    BOOST_TEST(std::isnan(out.values[3]));
  }
}

BOOST_AUTO_TEST_CASE(embed_rows_copies_exactly) {
  thread_pool pool(2);
  const std::vector<std::int32_t> ids = {3, 0, 3, 10};
  for (const dtype type :
       {dtype::f32, dtype::f16, dtype::bf16, dtype::q8_0, dtype::q4_0}) {
    weights table(type, 11, 96, 1);
    std::vector<float> expected;
    for (const std::int32_t id : ids) {
      std::vector<float> row(96);
      dequantize_row(type,
                     table.bytes.data() +
                         static_cast<std::size_t>(id) * row_bytes(type, 96),
                     row);
      expected.insert(expected.end(), row.begin(), row.end());
    }
    for (const path& p : paths()) {
      rows out(4, 96);
      p.ops->embed_rows({table.view(), ids, out.view()}, pool);
      BOOST_TEST(same_bytes(out.values, expected), p.name << name(type));
    }
  }
}

BOOST_AUTO_TEST_CASE(unknown_ids_and_wrong_shapes_are_refused) {
  thread_pool pool(1);
  weights table(dtype::f16, 11, 32, 1);
  rows out(1, 32);
  const auto weight = random_floats(31, 2);
  for (const path& p : paths()) {
    for (const std::int32_t id : {-1, 11}) {
      BOOST_CHECK_THROW(
          p.ops->embed_rows({table.view(), {&id, 1}, out.view()}, pool),
          contract_violation);
    }
    BOOST_CHECK_THROW(
        p.ops->rms_norm({out.view(), weight, 1e-5f, out.view()}, pool),
        contract_violation);
    rows narrow(1, 31);
    BOOST_CHECK_THROW(
        p.ops->swiglu({out.view(), narrow.view(), out.view()}, pool),
        contract_violation);
  }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace sluice::test
