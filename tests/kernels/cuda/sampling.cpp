// SPDX-License-Identifier: Apache-2.0
#include "kernels/check.hpp"
#include "tests/kernels/cuda/choice_fixture.hpp"
#include "tests/kernels/cuda/row_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

using namespace sluice;
using namespace sluice::test;

namespace {

// As logits of language models are: a few large ones, a long tail.
std::vector<float> peaked_logits(std::size_t count, std::uint32_t seed) {
  std::mt19937 chance{seed};
  std::normal_distribution<float> tail{-4, 2.5f};
  std::vector<float> logits(count);
  std::generate(logits.begin(), logits.end(), [&] { return tail(chance); });
  for (int i = 0; i < 12; ++i)
    logits[chance() % count] = 5 - 0.4f * static_cast<float>(i);
  return logits;
}

const std::vector<sampling_params>& settings() {
  static const std::vector<sampling_params> all{
      {},
      {.temperature = 0},
      {.temperature = 0.7f},
      {.temperature = 3},
      {.temperature = 1e-30f},
      {.temperature = 1e30f},
      {.top_k = 1},
      {.top_k = 40},
      {.top_k = 1000000},
      {.temperature = 1e30f, .top_k = 5}, // all scaled logits tie
      {.temperature = 1e-38f, .top_k = 5},
      {.top_p = 0.9f},
      {.temperature = 2, .top_p = 0.999f},
      {.top_p = 1e-6f},
      {.top_p = 0.99999994f},
      {.min_p = 0.05f},
      {.temperature = 1.5f, .min_p = 1e-30f},
      {.min_p = 1},
      {.temperature = 0.8f, .top_k = 50, .top_p = 0.95f},
      {.temperature = 1.2f, .top_k = 20, .top_p = 0.8f, .min_p = 0.02f},
      {.top_p = 0.97f, .min_p = 0.1f},
      {.top_k = 64, .min_p = 0.01f},
  };
  return all;
}

struct sampling_fixture {
  cuda::stream work;

  static choice_case make(std::vector<float> logits, sampling_params params,
                          std::uint64_t seed = 1) {
    choice_case made;
    made.logits = std::move(logits);
    made.params = params;
    made.key = {seed, static_cast<std::uint32_t>(seed % 3),
                static_cast<std::uint32_t>(seed % 1000)};
    return made;
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(cuda_sampling, sampling_fixture)

BOOST_AUTO_TEST_CASE(thousands_of_draws_are_those_of_the_cpu) {
  std::uint32_t seed = 0;
  for (const std::size_t vocabulary : {333u, 1000u}) {
    std::vector<choice_case> rows;
    for (int repeat = 0; repeat < 60; ++repeat)
      for (const auto& params : settings()) {
        ++seed;
        rows.push_back(make(repeat % 2 ? peaked_logits(vocabulary, seed)
                                       : uniform_floats(vocabulary, seed, 6),
                            params, std::uint64_t{0x123456789} * seed));
        // What the filters kept shows in the log-probability.
        rows.back().want_logprobs = repeat % 3 > 0;
      }
    check_like_host(work, rows);
  }
}

BOOST_AUTO_TEST_CASE(rows_of_many_slices_are_those_of_the_cpu) {
  std::vector<choice_case> rows;
  std::uint32_t seed = 100;
  for (const auto& params : settings()) {
    ++seed;
    rows.push_back(make(peaked_logits(9001, seed), params, seed));
    rows.back().want_logprobs = true;
    rows.back().top = 5;
  }
  check_like_host(work, rows);
}

BOOST_AUTO_TEST_CASE(rows_of_which_more_may_pass_than_a_list_holds) {
  std::vector<choice_case> rows;
  for (const auto& params :
       {sampling_params{.top_p = 0.995f}, sampling_params{.top_k = 17000},
        sampling_params{.top_k = 18000, .top_p = 0.9f, .min_p = 0.5f}}) {
    rows.push_back(make(uniform_floats(20000, 3), params, 77));
    rows.back().want_logprobs = true;
  }
  check_like_host(work, rows);
}

BOOST_AUTO_TEST_CASE(penalties_bias_and_mask_come_in_their_order) {
  std::vector<choice_case> rows;
  std::mt19937 chance{5};
  for (std::uint32_t i = 0; i < 120; ++i) {
    auto row = make(uniform_floats(300, 500 + i, 4), settings()[i % 20], i);
    row.params.repetition_penalty = i % 2 ? 1.3f : 1.0f;
    row.params.frequency_penalty = i % 3 ? 0.37f : 0.0f;
    row.params.presence_penalty = i % 5 ? 0.7f : 0.0f;
    for (std::int32_t t = 0; t < 300; t += 1 + static_cast<int>(chance() % 9))
      row.counts.push_back({t, static_cast<std::int32_t>(chance() % 4)});
    for (int b = 0; b < 20; ++b) // some tokens twice
      row.bias.push_back({static_cast<std::int32_t>(chance() % 300),
                          b % 7 ? 0.1f * static_cast<float>(b) : -infinity});
    if (i % 4 == 0)
      row.allowed.assign(5, 0x5a5a5a5a5a5a5a5aull);
    if (i % 3 == 0)
      row.drafts = {7, 9, 7, static_cast<std::int32_t>(i)};
    else if (i % 3 == 1)
      row.enters = static_cast<std::int32_t>(2 * i);
    row.prompt_tokens = static_cast<std::int32_t>(i) - i % 5;
    row.want_logprobs = i % 2;
    row.top = static_cast<std::int32_t>(i % 6);
    rows.push_back(row);
  }
  check_like_host(work, rows);
}

BOOST_AUTO_TEST_CASE(ties_go_to_the_lowest_id) {
  std::vector<choice_case> rows;
  for (const auto& params : settings()) {
    rows.push_back(make(std::vector<float>(200, 1.5f), params, 9));
    std::vector<float> zeros(200, -0.0f);
    zeros[150] = 0.0f;
    rows.push_back(make(zeros, params, 10));
    rows.back().top = 7;
  }
  rows.push_back(make({0, 0, 0, 0}, {.top_p = 0.5f}));
  rows.back().logits.resize(200, -1e30f);
  check_like_host(work, rows);
}

BOOST_AUTO_TEST_CASE(broken_and_forbidden_rows_are_told) {
  std::vector<choice_case> rows;
  for (const float bad : {not_a_number, infinity, -infinity})
    for (const auto& params : {sampling_params{}, sampling_params{.top_k = 3},
                               sampling_params{.temperature = 0}}) {
      rows.push_back(make(uniform_floats(100, 1), params));
      rows.back().logits[99] = bad;
      rows.back().want_logprobs = true;
      rows.push_back(make(uniform_floats(100, 1), params));
      rows.back().bias = {{3, -infinity}};
      rows.push_back(make(uniform_floats(100, 1), params));
      rows.back().allowed = {0, 0};
      rows.push_back(make(uniform_floats(100, 1), params));
      rows.back().bias = {{3, 3e38f}, {3, 3e38f}}; // overflows
      rows.push_back(make(uniform_floats(100, 1), params));
      rows.back().skipped = true;
    }
  check_like_host(work, rows);
}

BOOST_AUTO_TEST_CASE(a_row_is_the_same_bits_alone_and_in_a_batch) {
  std::vector<choice_case> rows;
  for (const auto& params : settings()) {
    rows.push_back(make(peaked_logits(4500, 3), params, 5));
    rows.back().want_logprobs = true;
    rows.back().top = 3;
  }
  const auto together = choose_on_device(work, rows);
  for (std::size_t r = 0; r < rows.size(); ++r)
    BOOST_TEST(same_bits(choose_on_device(work, {rows[r]})[0], together[r]));
}

BOOST_AUTO_TEST_CASE(draws_follow_the_distribution) {
  const std::vector<double> wanted{0.4, 0.3, 0.15, 0.1, 0.05};
  std::vector<float> logits;
  for (const double p : wanted)
    logits.push_back(static_cast<float>(std::log(p)));
  std::vector<int> counts(5);
  constexpr int draws = 2000;
  std::vector<choice_case> rows;
  for (std::uint64_t seed = 0; seed < draws; ++seed)
    rows.push_back(make(logits, {}, seed));
  for (const auto& each : choose_on_device(work, rows))
    ++counts[static_cast<std::size_t>(each.result.token)];
  double statistic = 0;
  for (std::size_t t = 0; t < 5; ++t) {
    const double expected = wanted[t] * draws;
    statistic += std::pow(counts[t] - expected, 2) / expected;
  }
  BOOST_TEST(statistic < 18.5); // 4 degrees of freedom, 1 in 1,000
}

BOOST_AUTO_TEST_CASE(mistakes_are_refused) {
  const device_array<float> logits{work, std::size_t{64}};
  const device_array<std::byte> workspace{work,
                                          cuda::choice_workspace_bytes(2, 30)};
  const device_array<cuda::choice_row> row{work, std::size_t{2}};
  const device_array<cuda::choice_settings> own{work, std::size_t{1}};
  const device_array<cuda::choice> out{work, std::size_t{2}};
  const cuda::choice_args good{.logits = {logits.data(), 2, 30, 32},
                               .rows = row.data(),
                               .settings = own.data(),
                               .out = out.data(),
                               .workspace = workspace.data(),
                               .workspace_bytes = workspace.size()};
  const auto refused = [&](auto change) {
    auto bad = good;
    change(bad);
    BOOST_CHECK_THROW(cuda::choose_tokens(bad, work), contract_violation);
  };
  refused([](auto& bad) { bad.logits.row_stride = 30; });
  refused([](auto& bad) { bad.logits.columns = 33; });
  refused([](auto& bad) { bad.logits.columns = 1 << 21; });
  refused([](auto& bad) { bad.logits.rows = 65536; });
  refused([](auto& bad) { bad.settings = nullptr; });
  refused([](auto& bad) { bad.out = nullptr; });
  refused([](auto& bad) { bad.most_top = 1; });
  refused([](auto& bad) { --bad.workspace_bytes; });
  refused([](auto& bad) { bad.workspace += 8; });
}

BOOST_AUTO_TEST_SUITE_END()
