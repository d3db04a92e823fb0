// SPDX-License-Identifier: Apache-2.0
#include "tools/simulate/arrivals.hpp"

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <fstream>
#include <stdexcept>

#include "tests/support/temporary_directory.hpp"

using namespace std::chrono_literals;
using namespace sluice::simulate;

namespace {

std::vector<arrival> all_of(const load& wanted) {
  std::vector<arrival> all;
  auto next = random_arrivals(wanted);
  while (const auto a = next())
    all.push_back(*a);
  return all;
}

double mean_rate(const std::vector<arrival>& all) {
  const auto time = std::chrono::duration<double>{all.back().when}.count();
  return static_cast<double>(all.size()) / time;
}

} // namespace

BOOST_AUTO_TEST_SUITE(simulated_arrivals)

BOOST_AUTO_TEST_CASE(poisson_arrivals_have_their_rate_and_spread) {
  const auto all = all_of({.requests = 50'000, .rate = 20, .seed = 1});
  BOOST_TEST(mean_rate(all) == 20, boost::test_tools::tolerance(0.02));
  double squares = 0; // of the gaps: twice the square of their mean
  for (std::size_t i = 1; i < all.size(); ++i) {
    const std::chrono::duration<double> gap = all[i].when - all[i - 1].when;
    BOOST_REQUIRE(gap.count() >= 0);
    squares += gap.count() * gap.count();
  }
  BOOST_TEST(squares / 50'000 * 20 * 20 == 2,
             boost::test_tools::tolerance(0.05));
}

BOOST_AUTO_TEST_CASE(bursts_keep_the_mean_rate) {
  const auto all = all_of({.requests = 50'000,
                           .rate = 20,
                           .burst = 4,
                           .burst_length = 2s,
                           .seed = 2});
  BOOST_TEST(mean_rate(all) == 20, boost::test_tools::tolerance(0.05));
  for (const auto& a : all) // 2 s of each 8 s
    BOOST_REQUIRE((a.when % 8s <= 2s));
}

BOOST_AUTO_TEST_CASE(lengths_have_their_mean_and_bounds) {
  const auto all = all_of({.requests = 50'000,
                           .prompt = {.mean = 200, .spread = 1, .most = 2000},
                           .output = {.mean = 7},
                           .prefix_tokens = 100});
  double sum = 0;
  for (const auto& a : all) {
    sum += a.prompt_tokens;
    BOOST_REQUIRE(a.prompt_tokens >= 1 && a.prompt_tokens <= 2000);
    BOOST_REQUIRE(a.output_tokens == 7);
    BOOST_REQUIRE(a.prefix_tokens < a.prompt_tokens);
  }
  BOOST_TEST(sum / 50'000 == 200, boost::test_tools::tolerance(0.05));
}

BOOST_AUTO_TEST_CASE(a_seed_gives_the_same_requests_again) {
  const load wanted{
      .requests = 100, .prompt = {.mean = 50, .spread = 2}, .seed = 9};
  const auto a = all_of(wanted);
  const auto b = all_of(wanted);
  for (std::size_t i = 0; i < a.size(); ++i) {
    BOOST_TEST((a[i].when == b[i].when));
    BOOST_TEST(a[i].prompt_tokens == b[i].prompt_tokens);
  }
}

BOOST_AUTO_TEST_CASE(given_requests_are_sorted) {
  auto next = recorded_arrivals({{.when = 2s}, {.when = 1s}});
  BOOST_TEST((next()->when == 1s));
  BOOST_TEST((next()->when == 2s));
  BOOST_TEST(!next().has_value());
}

BOOST_AUTO_TEST_CASE(traces_are_those_of_bench_serve) {
  const sluice::test::temporary_directory folder;
  const auto path = folder.path() / "trace.jsonl";
  std::ofstream{path}
      << R"({"timestamp": 2000, "input_length": 10, "output_length": 5})"
      << "\n"
      << R"({"timestamp": 2500, "input_length": 20, "output_length": 6})";
  auto next =
      trace_arrivals(path, {.requests = 0, .tenants = 2, .prefix_tokens = 15});
  const auto first = next();
  BOOST_REQUIRE(first.has_value());
  BOOST_TEST((first->when == 0s));
  BOOST_TEST(first->prompt_tokens == 10u);
  BOOST_TEST(first->prefix_tokens == 9u);
  const auto second = next();
  BOOST_REQUIRE(second.has_value());
  BOOST_TEST((second->when == 500ms));
  BOOST_TEST(second->output_tokens == 6u);
  BOOST_TEST(second->prefix_tokens == 15u);
  BOOST_TEST(second->tenant != first->tenant);
  BOOST_TEST(!next().has_value());
  BOOST_CHECK_THROW(trace_arrivals(folder.path() / "none", {}),
                    std::runtime_error);
}

BOOST_AUTO_TEST_SUITE_END()
