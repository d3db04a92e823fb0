// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/serve/metrics.hpp"

#include <stdexcept>

#include <boost/test/unit_test.hpp>

#include "tools/bench/serve/report.hpp"

using namespace sluice::bench;

namespace {

const auto close_to = boost::test_tools::tolerance(1e-9);

request_record record(double due, double sent,
                      std::vector<request_record::chunk> chunks) {
  return {.success = true,
          .error = {},
          .input_tokens = 10,
          .due = due,
          .sent = sent,
          .chunks = std::move(chunks)};
}

request_record failed() {
  auto broken = record(0, 0, {{0.1, 1}});
  broken.success = false;
  broken.error = "queue full";
  return broken;
}

/// Four tokens in three chunks; one token; a failure.
std::vector<request_record> three() {
  return {record(0, 0, {{0.1, 1}, {0.2, 2}, {0.4, 1}}),
          record(0.5, 1, {{1.3, 1}}), failed()};
}

} // namespace

BOOST_AUTO_TEST_SUITE(bench_serve_metrics)

BOOST_AUTO_TEST_CASE(throughputs_count_completed_requests) {
  const auto m = compute_metrics(three(), 2, {});
  BOOST_TEST(m.completed == 2u);
  BOOST_TEST(m.failed == 1u);
  BOOST_TEST(m.total_input_tokens == 20u);
  BOOST_TEST(m.total_output_tokens == 5u);
  BOOST_TEST(m.request_throughput == 1.0);
  BOOST_TEST(m.output_throughput == 2.5);
  BOOST_TEST(m.total_token_throughput == 12.5);
  BOOST_TEST(!m.request_goodput.has_value());
}

BOOST_AUTO_TEST_CASE(a_single_token_has_no_tpot_and_no_gap) {
  const auto m = compute_metrics(three(), 2, {});
  BOOST_TEST(m.tpot.mean == 100, close_to); // (400 - 100) / 3 of the first
  BOOST_TEST(m.tpot.std == 0, boost::test_tools::tolerance(1e-6));
  BOOST_TEST(m.ttft.mean == 200, close_to); // 100 and 300
  BOOST_TEST(m.ttft.std == 100, close_to);
  BOOST_TEST(m.e2el.median == 350, close_to); // 400 and 300
}

BOOST_AUTO_TEST_CASE(gaps_are_between_chunks_of_all_requests) {
  auto records = three();
  records.push_back(record(0, 0, {{0.5, 1}, {0.6, 1}}));
  const auto m = compute_metrics(records, 2, {});
  BOOST_TEST(m.itl.mean == 400.0 / 3, close_to); // 100, 200 and 100
  BOOST_TEST(m.itl.median == 100, close_to);
  BOOST_TEST(m.itl.p99 == 198, close_to);
}

BOOST_AUTO_TEST_CASE(waiting_for_a_free_place_counts_apart) {
  const auto m = compute_metrics(three(), 2, {});
  BOOST_TEST(m.queueing.mean == 250, close_to);    // 0 and 500
  BOOST_TEST(m.queued_e2el.mean == 600, close_to); // 400 and 800
}

BOOST_AUTO_TEST_CASE(a_good_request_keeps_every_limit) {
  const auto goodput = [](goodput_limits limits) {
    return *compute_metrics(three(), 2, limits).request_goodput;
  };
  BOOST_TEST(goodput({.ttft = 100}) == 0.5);
  BOOST_TEST(goodput({.ttft = 301}) == 1.0);
  BOOST_TEST(goodput({.tpot = 99}) == 0.5); // a single token has TPOT 0
  BOOST_TEST(goodput({.tpot = 101}) == 1.0);
  BOOST_TEST(goodput({.ttft = 101, .tpot = 99}) == 0.0);
  BOOST_TEST(goodput({.e2el = 301}) == 0.5);
}

BOOST_AUTO_TEST_CASE(peaks_are_of_whole_seconds_from_the_first_request_on) {
  const auto m = compute_metrics(
      {record(5, 5, {{5.5, 2}, {6.5, 3}}), record(5, 5.9, {{6.1, 4}})}, 2, {});
  BOOST_TEST(m.max_output_tokens_per_s == 7); // the second second: 3 + 4
  BOOST_TEST(m.max_concurrent_requests == 2);
}

BOOST_AUTO_TEST_CASE(nothing_completed_gives_zeros) {
  const auto m = compute_metrics({failed()}, 1, {.ttft = 1});
  BOOST_TEST(m.completed == 0u);
  BOOST_TEST(m.request_goodput.value() == 0);
  BOOST_TEST(m.ttft.p99 == 0);
  BOOST_TEST(m.max_output_tokens_per_s == 0);
}

BOOST_AUTO_TEST_CASE(an_answer_without_tokens_is_a_failure) {
  const auto m = compute_metrics({record(0, 0, {})}, 1, {});
  BOOST_TEST(m.completed == 0u);
  BOOST_TEST(m.failed == 1u);
}

BOOST_AUTO_TEST_CASE(goodput_limits_are_read) {
  const auto limits = parse_goodput("ttft:200,tpot:50");
  BOOST_TEST(limits.ttft.value() == 200);
  BOOST_TEST(limits.tpot.value() == 50);
  BOOST_TEST(!limits.e2el.has_value());
  BOOST_TEST(parse_goodput("e2el:1.5 ttft:2").e2el.value() == 1.5);
  for (const char* text :
       {"", "itl:5", "ttft", "ttft:", "ttft:x", "ttft:-1", "ttft:1ms", ","})
    BOOST_CHECK_THROW(parse_goodput(text), std::invalid_argument);
}

BOOST_AUTO_TEST_CASE(the_report_has_vllms_lines) {
  const auto text = serve_text(compute_metrics(three(), 2, {.ttft = 200}),
                               {.max_concurrency = 4, .request_rate = 2.5});
  for (const char* line :
       {"============ Serving Benchmark Result ============\n",
        "Successful requests:                     2         \n",
        "Maximum request concurrency:             4         \n",
        "Request rate configured (RPS):           2.50      \n",
        "Request goodput (req/s):                 0.50      \n",
        "Output token throughput (tok/s):         2.50      \n",
        "---------------Time to First Token----------------\n",
        "-----Time per Output Token (excl. 1st token)------\n",
        "---------------Inter-token Latency----------------\n",
        "----------------End-to-end Latency----------------\n",
        "Mean TTFT (ms):                          200.00    \n",
        "P99 E2EL (ms):                           399.00    \n"})
    BOOST_TEST(text.find(line) != std::string::npos, line << " in " << text);
  const auto short_text = serve_text(compute_metrics(three(), 2, {}), {});
  for (const char* absent : {"goodput", "concurrency:", "configured"})
    BOOST_TEST(short_text.find(absent) == std::string::npos, absent);
}

BOOST_AUTO_TEST_CASE(the_json_has_vllms_keys) {
  const auto records = three();
  const auto out = serve_json(compute_metrics(records, 2, {}), records);
  for (const char* key :
       {"duration", "completed", "failed", "total_input_tokens",
        "total_output_tokens", "request_throughput", "output_throughput",
        "total_token_throughput", "max_output_tokens_per_s",
        "max_concurrent_requests", "mean_ttft_ms", "median_tpot_ms",
        "std_itl_ms", "p99_e2el_ms"})
    BOOST_TEST(out.at(key).is_number(), key);
  BOOST_TEST(out.at("request_goodput").is_null());
  BOOST_TEST(out.at("output_lens").dump() == "[4,1,0]");
  BOOST_TEST(out.at("itls").at(0).size() == 2u);
  BOOST_TEST(out.at("errors").at(2) == "queue full");
}

BOOST_AUTO_TEST_SUITE_END()
