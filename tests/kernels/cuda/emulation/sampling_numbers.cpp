// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/sampling/numbers.hpp"

#include "kernels/sampling.hpp"

#include <boost/test/unit_test.hpp>

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

using namespace sluice;
using namespace sluice::cuda::sampling;

namespace {

constexpr int tries = 300000;

float any_float(std::mt19937& chance) {
  for (;;) {
    const auto x = std::bit_cast<float>(static_cast<std::uint32_t>(chance()));
    if (std::isfinite(x))
      return x;
  }
}

} // namespace

BOOST_AUTO_TEST_SUITE(sampling_numbers)

BOOST_AUTO_TEST_CASE(keys_order_logits_and_then_ids) {
  const float infinite = std::numeric_limits<float>::infinity();
  const std::vector<float> down{infinite, 3e38f,   2,      1e-44f,
                                0,        -1e-44f, -3e38f, -infinite};
  for (std::size_t i = 0; i < down.size(); ++i) {
    BOOST_TEST(logit_of(key_of(down[i], 5)) == down[i]);
    BOOST_TEST(token_of(key_of(down[i], 5)) == 5);
    BOOST_TEST((key_of(down[i], 4) > key_of(down[i], 5)));
    BOOST_TEST((i == 0 || key_of(down[i - 1], 900) > key_of(down[i], 0)));
  }
  BOOST_TEST((key_of(-0.0f, 1) == key_of(0.0f, 1)));
}

BOOST_AUTO_TEST_CASE(scaled_logits_are_the_rounded_quotients) {
  std::mt19937 chance{1};
  std::uniform_real_distribution<float> usual{-40, 40};
  std::uint64_t wrong = 0;
  for (int i = 0; i < tries; ++i) {
    const bool wild = i % 2;
    float top = wild ? any_float(chance) : usual(chance);
    float logit = wild ? any_float(chance) : usual(chance);
    if (logit > top)
      std::swap(logit, top);
    const float by = std::abs(wild ? any_float(chance) : usual(chance));
    if (by == 0)
      continue;
    const auto wanted = static_cast<float>((logit - double{top}) / by);
    wrong += std::bit_cast<std::uint32_t>(scaling{top, by}(logit)) !=
             std::bit_cast<std::uint32_t>(wanted);
  }
  // Quotients that are all but the middle of two floats.
  for (int i = 0; i < tries; ++i) {
    const float by = 1 + std::abs(usual(chance));
    const double middle = 1 + (2 * (i % 0x7fffff) + 1) * 0x1p-24;
    const auto logit = static_cast<float>(-middle * by);
    const auto top = static_cast<float>(logit + middle * by);
    const auto wanted = static_cast<float>((double{logit} - top) / by);
    wrong += scaling{top, by}(logit) != wanted;
  }
  BOOST_TEST(wrong == 0u);
}

BOOST_AUTO_TEST_CASE(exponentials_are_near) {
  std::mt19937 chance{2};
  std::uniform_real_distribution<float> any{-80, 0};
  double worst = 0;
  for (int i = 0; i < tries; ++i) {
    const float x = any(chance);
    const double wanted = std::exp(double{x});
    worst = std::max(worst, std::abs(exp_f32(x) - wanted) / wanted);
  }
  BOOST_TEST(worst < 2 * 0x1p-23);
  BOOST_TEST(exp_f32(0) == 1);
  BOOST_TEST(exp_f32(-0.0f) == 1);
  BOOST_TEST(exp_f32(-1e30f) == 0);
  BOOST_TEST(exp_f32(forbidden) == 0);
}

BOOST_AUTO_TEST_CASE(noise_is_the_cpus_and_its_bound_holds) {
  std::mt19937 chance{3};
  for (int i = 0; i < 20000; ++i) {
    const auto low = static_cast<std::uint32_t>(chance());
    const auto high = static_cast<std::uint32_t>(chance());
    const auto token = static_cast<std::int32_t>(chance() % 200000);
    const sample_key key{std::uint64_t{high} << 32 | low, high % 7, low % 9999};
    const auto word = word_of({low, high, key.sequence, key.position}, token);
    const double value = value_of(-2.5f, word);
    BOOST_TEST(value == -2.5f + gumbel_noise(key, token));
    BOOST_TEST(may_reach(bound_of(-2.5f, word), value));
  }
  for (const std::uint32_t word : {0u, 1u, 0x7fffffffu, 0xfffffffeu, ~0u})
    for (const float scaled : {0.0f, -3.0f, -1e5f, forbidden})
      BOOST_TEST(may_reach(bound_of(scaled, word), value_of(scaled, word)));
}

BOOST_AUTO_TEST_SUITE_END()
