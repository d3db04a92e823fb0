// SPDX-License-Identifier: Apache-2.0
#include "kernels/sampling.hpp"

#include "kernels/check.hpp"
#include "tests/kernels/fixtures.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <set>

namespace sluice::test {

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

const std::vector<path>& all_paths() {
  static const std::vector<path> found = paths();
  return found;
}

// Everything a draw reads, with defaults that change nothing.
struct request {
  std::vector<float> logits;
  sampling_params params;
  std::vector<logit_bias> bias;
  std::vector<token_count> counts;
  std::vector<std::uint64_t> allowed;
};

bool same_result(const sampled& a, const sampled& b) {
  const auto bits = [](float x) { return std::bit_cast<std::uint32_t>(x); };
  return a.status == b.status && a.token == b.token &&
         bits(a.logprob) == bits(b.logprob) &&
         bits(a.raw_logprob) == bits(b.raw_logprob) &&
         a.top_count == b.top_count;
}

/// Log-softmax at a token, as anybody would write it.
double plain_logprob(const std::vector<float>& logits, std::size_t token) {
  double sum = 0;
  for (const float x : logits)
    sum += std::exp(static_cast<double>(x) - logits[token]);
  return -std::log(sum);
}

// Draws on the oracle, and on every path, which must agree in every bit.
sampled draw(const request& r, sample_key key, bool logprobs = false,
             std::span<token_logprob> top = {}) {
  scratch space(
      sample_workspace_bytes(static_cast<std::int64_t>(r.logits.size())));
  const auto on = [&](const op_table& ops) {
    return ops.sample({.logits = r.logits,
                       .params = r.params,
                       .bias = r.bias,
                       .counts = r.counts,
                       .allowed = r.allowed,
                       .key = key,
                       .want_logprobs = logprobs,
                       .top = top,
                       .workspace = space.span()});
  };
  const sampled expected = on(oracle());
  for (const path& p : all_paths()) {
    if (!same_result(on(*p.ops), expected)) {
      BOOST_ERROR(p.name << " chooses otherwise than the oracle");
    }
  }
  return expected;
}

// The tokens that 2,000 seeds draw: what the filters let through.
std::set<std::int32_t> drawn(const request& r) {
  std::set<std::int32_t> tokens;
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    tokens.insert(draw(r, {seed, 0, 0}).token);
  }
  return tokens;
}

std::vector<float> logits_of(std::vector<double> probabilities) {
  std::vector<float> logits;
  for (const double p : probabilities) {
    logits.push_back(static_cast<float>(std::log(p)));
  }
  return logits;
}

// The chi-square statistic of `draws` tokens against probabilities.
double chi_square(const std::vector<int>& counts,
                  const std::vector<double>& probabilities, int draws) {
  double sum = 0;
  for (std::size_t t = 0; t < counts.size(); ++t) {
    const double expected = probabilities[t] * draws;
    sum += (counts[t] - expected) * (counts[t] - expected) / expected;
  }
  return sum;
}

struct filter_case {
  const char* what;
  request r;
  std::set<std::int32_t> expected;
};

const std::vector<double> four = {0.4, 0.3, 0.2, 0.1};

std::vector<filter_case> filter_cases() {
  const auto p = logits_of(four);
  return {
      {"no filter", {p, {}}, {0, 1, 2, 3}},
      {"top-k keeps k", {p, {.top_k = 2}}, {0, 1}},
      {"top-k above the vocabulary", {p, {.top_k = 9}}, {0, 1, 2, 3}},
      {"top-k ties go to the lowest ids", {{1, 2, 2, 2}, {.top_k = 2}}, {1, 2}},
      {"top-p keeps the token that crosses it", {p, {.top_p = 0.5f}}, {0, 1}},
      {"top-p keeps one at least", {p, {.top_p = 1e-6f}}, {0}},
      {"top-p ties go to the lowest ids",
       {{0, 0, 0, 0}, {.top_p = 0.5f}},
       {0, 1}},
      {"min-p is relative to the largest", {p, {.min_p = 0.4f}}, {0, 1, 2}},
      {"min-p of 1 keeps the ties of the largest",
       {{3, 1, 3, 0}, {.min_p = 1}},
       {0, 2}},
      // In the wrong order each of these keeps another set.
      {"top-k before top-p: 0.4 / 0.7 >= 0.55",
       {p, {.top_k = 2, .top_p = 0.55f}},
       {0}},
      {"temperature before top-p: a flat row needs more tokens",
       {p, {.temperature = 100, .top_p = 0.6f}},
       {0, 1, 2}},
      {"temperature before min-p: a flat row passes whole",
       {p, {.temperature = 100, .min_p = 0.9f}},
       {0, 1, 2, 3}},
      {"bias before top-k", {p, {.top_k = 1}, {{3, 5.0f}}}, {3}},
      {"mask before top-k", {p, {.top_k = 2}, {}, {}, {0b1100}}, {2, 3}},
      {"mask before top-p", {p, {.top_p = 0.5f}, {}, {}, {0b1110}}, {1}},
      {"mask after bias", {p, {}, {{0, 100.0f}}, {}, {0b1110}}, {1, 2, 3}},
      {"-infinity bias forbids", {p, {}, {{0, -infinity}}}, {1, 2, 3}},
      {"penalties before bias: (4 / 2) + 1 < 3.5",
       {{4, 3.5f},
        {.temperature = 0, .repetition_penalty = 2},
        {{0, 1.0f}},
        {{0, 0}}},
       {1}},
      {"repetition penalty lowers negative logits too",
       {{-1, -1.5f}, {.temperature = 0, .repetition_penalty = 2}, {}, {{0, 1}}},
       {1}},
      {"frequency counts generated tokens",
       {{4, 3}, {.temperature = 0, .frequency_penalty = 0.6f}, {}, {{0, 2}}},
       {1}},
      {"frequency and presence spare the prompt",
       {{4, 3},
        {.temperature = 0, .frequency_penalty = 2, .presence_penalty = 2},
        {},
        {{0, 0}}},
       {0}},
      {"presence counts once",
       {{4, 3}, {.temperature = 0, .presence_penalty = 0.6f}, {}, {{0, 9}}},
       {0}},
      {"temperature 0 takes the lowest id of the largest",
       {{1, 5, 5, 0}, {.temperature = 0}},
       {1}},
      {"a tiny temperature is greedy", {p, {.temperature = 1e-30f}}, {0}},
  };
}

// Rows as models make them and as nobody does: peaked, flat, rounded so that
// many are equal, huge, with a few far ahead.
std::vector<float> random_row(std::mt19937& random) {
  constexpr std::int64_t sizes[] = {1, 2, 63, 64, 65, 300, 1000, 4099, 20000};
  constexpr float scales[] = {0, 1e-3f, 1, 3, 10, 300, 1e30f};
  auto row =
      random_floats(sizes[random() % 9], static_cast<std::uint32_t>(random()),
                    scales[random() % 7]);
  if (random() % 3 == 0) {
    for (float& x : row) {
      x = std::round(x);
    }
  }
  for (auto peaks = random() % 4; peaks > 0; --peaks) {
    row[random() % row.size()] += static_cast<float>(random() % 12);
  }
  return row;
}

sampling_params random_params(std::mt19937& random) {
  constexpr float temperatures[] = {0, 0.1f, 0.8f, 1, 1, 1.5f, 50, 1e-30f};
  constexpr std::int32_t top_ks[] = {0, 0, 0, 1, 2, 20, 40, 500, 30000};
  constexpr float top_ps[] = {1, 1, 1, 0.95f, 0.9f, 0.5f, 0.999f, 1e-6f};
  constexpr float min_ps[] = {0, 0, 0, 0.05f, 0.4f, 1, 1e-6f};
  sampling_params params;
  params.temperature = temperatures[random() % 8];
  params.top_k = top_ks[random() % 9];
  params.top_p = top_ps[random() % 8];
  params.min_p = min_ps[random() % 7];
  if (random() % 4 == 0) {
    params.repetition_penalty = 1.3f;
    params.frequency_penalty = 0.4f;
    params.presence_penalty = -0.2f;
  }
  return params;
}

request random_request(std::mt19937& random) {
  request r{random_row(random), random_params(random), {}, {}, {}};
  const auto size = static_cast<std::uint32_t>(r.logits.size());
  const auto token = [&] { return static_cast<std::int32_t>(random() % size); };
  for (auto n = random() % 3 * 4; n > 0; --n) {
    r.counts.push_back({token(), static_cast<std::int32_t>(random() % 3)});
  }
  if (random() % 4 == 0) {
    r.bias = {{token(), 5.0f}, {token(), -infinity}};
  }
  if (random() % 4 == 0) {
    r.allowed.resize(size / 64 + 1);
    for (auto& word : r.allowed) {
      word = random() % 2 == 0 ? ~std::uint64_t{0} : random();
    }
  }
  return r;
}

} // namespace

BOOST_AUTO_TEST_SUITE(sampling)

BOOST_AUTO_TEST_CASE(philox_gives_the_published_words) {
  // Random123, kat_vectors, philox4x32 with 10 rounds.
  using words = std::array<std::uint32_t, 4>;
  BOOST_TEST((philox({0, 0, 0, 0}, {0, 0}) ==
              words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  const std::uint32_t ones = 0xffffffff;
  BOOST_TEST((philox({ones, ones, ones, ones}, {ones, ones}) ==
              words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  BOOST_TEST((philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
                     {0xa4093822, 0x299f31d0}) ==
              words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

BOOST_AUTO_TEST_CASE(noise_depends_on_every_part_of_the_key) {
  const sample_key key{1, 2, 3};
  const std::set<double> noises = {
      gumbel_noise(key, 8),
      gumbel_noise(key, 9),
      gumbel_noise(key, 12),
      gumbel_noise({2, 2, 3}, 8),
      gumbel_noise({1 + (std::uint64_t{1} << 32), 2, 3}, 8),
      gumbel_noise({1, 3, 3}, 8),
      gumbel_noise({1, 2, 4}, 8)};
  BOOST_TEST(noises.size() == 7u);
}

BOOST_AUTO_TEST_CASE(draws_follow_the_distribution) {
  const std::vector<double> p = {0.3, 0.2, 0.15, 0.12, 0.1, 0.08, 0.04, 0.01};
  const request r{logits_of(p), {}};
  constexpr int draws = 40000;
  // By position with one seed, by seed, by sequence index.
  const auto keys = {+[](std::uint32_t i) {
                       return sample_key{7, 0, i};
                     },
                     +[](std::uint32_t i) {
                       return sample_key{i, 0, 5};
                     },
                     +[](std::uint32_t i) {
                       return sample_key{7, i, 5};
                     }};
  for (const auto key : keys) {
    std::vector<int> counts(p.size());
    for (std::uint32_t i = 0; i < draws; ++i) {
      ++counts[static_cast<std::size_t>(draw(r, key(i)).token)];
    }
    // 7 degrees of freedom: 24.3 is the 99.9 % quantile.
    BOOST_TEST(chi_square(counts, p, draws) < 24.3);
  }
}

BOOST_AUTO_TEST_CASE(neighbouring_draws_are_independent) {
  const std::vector<double> pairs(16, 1.0 / 16);
  const request r{logits_of({0.25, 0.25, 0.25, 0.25}), {}};
  std::vector<int> counts(16);
  constexpr int draws = 20000;
  for (std::uint32_t i = 0; i < draws; ++i) {
    const auto a = draw(r, {3, 0, 2 * i}).token;
    const auto b = draw(r, {3, 0, 2 * i + 1}).token;
    ++counts[static_cast<std::size_t>(a * 4 + b)];
  }
  BOOST_TEST(chi_square(counts, pairs, draws) < 37.7); // 15 degrees, 99.9 %
}

BOOST_AUTO_TEST_CASE(filters_work_in_their_order) {
  for (const filter_case& c : filter_cases()) {
    BOOST_TEST((drawn(c.r) == c.expected), c.what);
  }
}

BOOST_AUTO_TEST_CASE(filtered_draws_follow_the_renormalised_distribution) {
  const request r{logits_of(four), {.top_k = 3}};
  const std::vector<double> p = {4.0 / 9, 3.0 / 9, 2.0 / 9};
  std::vector<int> counts(3);
  for (std::uint32_t i = 0; i < 30000; ++i) {
    ++counts[static_cast<std::size_t>(draw(r, {11, 0, i}).token)];
  }
  BOOST_TEST(chi_square(counts, p, 30000) < 13.8); // 2 degrees, 99.9 %
}

BOOST_AUTO_TEST_CASE(a_large_vocabulary_is_filtered_like_a_small_one) {
  // The wanted tokens stand at the end, past every first batch of a sort.
  request r{random_floats(5000, 1), {.top_p = 0.999f}};
  r.logits[4990] = 20;
  r.logits[4991] = 20;
  BOOST_TEST((drawn(r) == std::set<std::int32_t>{4990, 4991}));
  r.params = {.temperature = 50, .top_k = 3};
  r.logits[17] = 19;
  BOOST_TEST((drawn(r) == std::set<std::int32_t>{17, 4990, 4991}));
}

BOOST_AUTO_TEST_CASE(forbidding_a_token_moves_no_other_draw) {
  // The noise belongs to the token, so the winner stays unless it is the one.
  request all{logits_of(four), {}};
  request masked = all;
  masked.allowed = {0b1011};
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    const auto token = draw(all, {seed, 0, 0}).token;
    if (token != 2) {
      BOOST_TEST(draw(masked, {seed, 0, 0}).token == token);
    }
  }
}

BOOST_AUTO_TEST_CASE(the_draw_is_the_largest_noisy_logit) {
  // What the draw skips by bounds must never be the winner.
  const request r{random_floats(3000, 4, 6), {}};
  for (std::uint32_t position = 0; position < 200; ++position) {
    const sample_key key{99, 1, position};
    std::int32_t best = 0;
    double best_value = -1e9;
    for (std::int32_t t = 0; t < 3000; ++t) {
      const double value =
          r.logits[static_cast<std::size_t>(t)] + gumbel_noise(key, t);
      best = value > best_value ? t : best;
      best_value = std::fmax(best_value, value);
    }
    BOOST_TEST(draw(r, key).token == best);
  }
}

BOOST_AUTO_TEST_CASE(logprobs_are_raw_and_of_the_filtered_distribution) {
  request r{logits_of(four), {.top_k = 2}, {{0, -1.0f}}};
  token_logprob top[3];
  const sampled s = draw(r, {5, 0, 0}, true, top);
  const double a = 0.4 * std::exp(-1.0); // biased, below 0.3 and 0.2
  BOOST_TEST(a < 0.2);
  BOOST_TEST((s.token == 1 || s.token == 2));
  const double raw = s.token == 1 ? 0.3 : 0.2;
  BOOST_TEST(std::fabs(s.raw_logprob - std::log(raw)) < 1e-6);
  BOOST_TEST(std::fabs(s.logprob - std::log(raw / 0.5)) < 1e-6);
  BOOST_TEST(s.top_count == 3);
  for (int i = 0; i < 3; ++i) {
    BOOST_TEST(top[i].token == i);
    BOOST_TEST(std::fabs(top[i].logprob -
                         std::log(four[static_cast<std::size_t>(i)])) < 1e-6);
  }
}

BOOST_AUTO_TEST_CASE(top_logprobs_are_sorted_with_ties_by_id) {
  const request r{{1, 3, 2, 3, 0}, {.temperature = 0}};
  token_logprob top[9];
  const sampled s = draw(r, {0, 0, 0}, false, top);
  BOOST_TEST(s.top_count == 5);
  const std::int32_t order[] = {1, 3, 2, 0, 4};
  for (int i = 0; i < 5; ++i) {
    BOOST_TEST(top[i].token == order[i]);
  }
  BOOST_TEST(s.logprob == 0.0f);
}

BOOST_AUTO_TEST_CASE(broken_logits_and_empty_choices_are_typed) {
  const auto status = [](const request& r) {
    return draw(r, {0, 0, 0}).status;
  };
  using enum sample_status;
  BOOST_TEST((status({{0, NAN, 1}, {}}) == non_finite));
  BOOST_TEST((status({{0, infinity, 1}, {}}) == non_finite));
  BOOST_TEST((status({{0, -infinity, 1}, {.temperature = 0}}) == non_finite));
  BOOST_TEST((status({{0, 3e38f}, {}, {{1, 3e38f}}}) == non_finite));
  BOOST_TEST((status({{0, 1}, {}, {}, {}, {0}}) == nothing_allowed));
  BOOST_TEST((status({{0, 1}, {}, {{0, -infinity}, {1, -infinity}}}) ==
              nothing_allowed));
  BOOST_TEST((status({{0, 1}, {}, {{0, -infinity}}, {}, {0b11}}) == ok));
}

BOOST_AUTO_TEST_CASE(every_path_draws_what_the_oracle_draws) {
  std::mt19937 random{20};
  for (std::uint32_t i = 0; i < 3000; ++i) {
    const request r = random_request(random);
    draw(r, {i, i % 3, i * 7}, random() % 4 == 0); // compares
  }
}

BOOST_AUTO_TEST_CASE(broken_logits_are_found_wherever_they_stand) {
  for (const std::size_t at : {0, 63, 64, 130, 191, 192, 193}) {
    for (const float broken : {NAN, infinity, -infinity}) {
      request r{random_floats(194, 3), {}};
      r.logits[at] = broken;
      BOOST_TEST((draw(r, {0, 0, 0}).status == sample_status::non_finite));
    }
  }
}

BOOST_AUTO_TEST_CASE(parameters_out_of_range_are_refused) {
  const std::vector<float> two = {0, 1};
  const request bad[] = {{{}, {}},
                         {two, {.temperature = -1}},
                         {two, {.temperature = NAN}},
                         {two, {.top_k = -1}},
                         {two, {.top_p = 0}},
                         {two, {.top_p = 1.5f}},
                         {two, {.min_p = -0.1f}},
                         {two, {.repetition_penalty = 0}},
                         {two, {.frequency_penalty = infinity}},
                         {two, {}, {{2, 1}}},
                         {two, {}, {{-1, 1}}},
                         {two, {}, {{0, NAN}}},
                         {two, {}, {{0, infinity}}},
                         {two, {}, {}, {{2, 1}}},
                         {two, {}, {}, {{0, -1}}},
                         {std::vector<float>(65), {}, {}, {}, {1}}};
  for (const request& r : bad) {
    BOOST_CHECK_THROW(draw(r, {0, 0, 0}), contract_violation);
  }
}

BOOST_AUTO_TEST_CASE(given_tokens_are_scored) {
  const std::vector<float> logits{1, 3, -2, 3, 0.5f};
  std::array<token_logprob, 3> top;
  const std::int32_t ranks[] = {3, 1, 5, 2, 4}; // ties go to the lowest id
  for (std::int32_t token = 0; token < 5; ++token) {
    const auto found = score(logits, token, top);
    BOOST_TEST((found.status == sample_status::ok));
    BOOST_TEST(found.rank == ranks[token]);
    BOOST_TEST(found.top_count == 3);
    BOOST_TEST(std::abs(found.logprob -
                        plain_logprob(logits, std::size_t(token))) < 1e-6);
  }
  BOOST_TEST(top[0].token == 1);
  BOOST_TEST(top[1].token == 3);
  BOOST_TEST(top[2].token == 0);
  BOOST_TEST(score(logits, 2, {}).top_count == 0);
}

BOOST_AUTO_TEST_CASE(bad_scores_are_refused) {
  const std::vector<float> logits{1, 2};
  BOOST_CHECK_THROW(score(logits, 2, {}), contract_violation);
  BOOST_CHECK_THROW(score(logits, -1, {}), contract_violation);
  for (const float bad : {infinity, -infinity, std::nanf("")})
    BOOST_TEST((score(std::vector<float>{0, bad}, 0, {}).status ==
                sample_status::non_finite));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace sluice::test
