// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/serve/workload.hpp"

#include <algorithm>
#include <cmath>
#include <sstream>

#include <boost/test/unit_test.hpp>

#include "tools/bench/statistics.hpp"

using namespace sluice::bench;

namespace {

std::vector<double> gaps_of(const std::vector<double>& times) {
  std::vector<double> gaps;
  for (std::size_t i = 1; i < times.size(); ++i)
    gaps.push_back(times[i] - times[i - 1]);
  return gaps;
}

std::vector<trace_entry> csv(const std::string& text, std::size_t most = 0) {
  std::istringstream in{text};
  return parse_csv_trace(in, "t.csv", most);
}

std::vector<trace_entry> lines(const std::string& text) {
  std::istringstream in{text};
  return parse_json_trace(in, "t.jsonl", 0);
}

template <class Parse>
std::string error_of(Parse parse) {
  try {
    parse();
    return {};
  } catch (const trace_error& error) {
    return error.what();
  }
}

} // namespace

BOOST_AUTO_TEST_SUITE(bench_workload)

BOOST_AUTO_TEST_CASE(the_last_request_arrives_exactly_on_time) {
  for (const double burstiness : {0.25, 1.0, 10.0}) {
    const auto times = arrival_times({4, burstiness, 7}, 1000);
    BOOST_TEST(times.back() == 250, boost::test_tools::tolerance(1e-9));
    BOOST_TEST(std::is_sorted(times.begin(), times.end()));
  }
}

BOOST_AUTO_TEST_CASE(burstiness_is_the_shape_of_the_gaps) {
  for (const double burstiness : {0.25, 1.0, 10.0}) {
    const auto gaps = gaps_of(arrival_times({10, burstiness, 3}, 20'000));
    // A gamma distribution's deviation is its mean / sqrt(shape).
    BOOST_TEST(deviation(gaps) / mean(gaps) == 1 / std::sqrt(burstiness),
               boost::test_tools::tolerance(0.05));
  }
}

BOOST_AUTO_TEST_CASE(without_a_rate_all_arrive_at_once) {
  BOOST_TEST(arrival_times({0, 1, 1}, 3) == std::vector<double>(3, 0.0),
             boost::test_tools::per_element());
  BOOST_TEST(arrival_times({5, 1, 1}, 0).empty());
}

BOOST_AUTO_TEST_CASE(prompts_have_exact_lengths_and_a_common_prefix) {
  const random_workload what{.requests = 3,
                             .prefix_tokens = 4,
                             .input_tokens = 6,
                             .output_tokens = 2,
                             .arrivals = {.seed = 5}};
  const auto requests = make_workload(what, 1000);
  BOOST_TEST(requests.size() == 3u);
  for (const auto& request : requests) {
    BOOST_TEST(request.prompt.size() == 10u);
    BOOST_TEST(request.output_tokens == 2u);
    BOOST_TEST(std::equal(request.prompt.begin(), request.prompt.begin() + 4,
                          requests[0].prompt.begin()));
    BOOST_TEST(*std::max_element(request.prompt.begin(), request.prompt.end()) <
               1000u);
  }
  BOOST_TEST(requests[0].prompt != requests[1].prompt);
  BOOST_TEST(make_workload(what, 1000)[2].prompt == requests[2].prompt);
}

BOOST_AUTO_TEST_CASE(a_trace_like_burstgpts_is_read) {
  const auto trace = csv(
      "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\r\n"
      "5,ChatGPT,472,18,490,\"Conversation, log\"\r\n"
      "7.5,GPT-4,10,0,10,API log\n"
      "\n"
      "45,GPT-4,1087,230,1317,API log\n");
  BOOST_TEST(trace.size() == 2u); // one row has no response
  BOOST_TEST(trace[0].at == 0);
  BOOST_TEST(trace[1].at == 40);
  BOOST_TEST(trace[1].input_tokens == 1087u);
  BOOST_TEST(trace[1].output_tokens == 230u);
}

BOOST_AUTO_TEST_CASE(only_so_many_entries_are_read) {
  const std::string text = "timestamp,request tokens,response tokens\n"
                           "1,1,1\n2,2,2\n3,bad,3\n";
  BOOST_TEST(csv(text, 2).size() == 2u);
  BOOST_TEST(error_of([&] {
               csv(text, 3);
             }).find("t.csv:4: 'bad' in column 2") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_trace_of_json_lines_is_read) {
  const auto trace = lines(
      R"({"timestamp": 3000, "output_length": 4, "input_length": 9})"
      "\n"
      R"({"timestamp": 1000, "output_length": 2, "prompt_tokens": [7, 8]})"
      "\n");
  BOOST_TEST(trace.size() == 2u);
  BOOST_TEST(trace[0].at == 0); // in the order of arrival
  BOOST_TEST(trace[0].input_tokens == 2u);
  BOOST_TEST(trace[1].at == 2);
  const auto requests = make_workload(trace, 100, 1);
  BOOST_TEST(requests[0].prompt == (std::vector<std::uint32_t>{7, 8}),
             boost::test_tools::per_element());
  BOOST_TEST(requests[1].prompt.size() == 9u);
  BOOST_CHECK_THROW(make_workload(trace, 8, 1), trace_error);
}

BOOST_AUTO_TEST_CASE(bad_traces_are_refused_by_line) {
  const std::pair<const char*, const char*> csvs[] = {
      {"a,b,c\n1,2,3\n", "t.csv:1: no column 'timestamp'"},
      {"timestamp,request tokens,response tokens\n", "no request"},
      {"timestamp,request tokens,response tokens\n1,2\n", "t.csv:2"},
      {"timestamp,request tokens,response tokens\n1,1e99,2\n", "t.csv:2"},
      {"timestamp,request tokens,response tokens\n-1,1,2\n", "t.csv:2"},
      {"", "t.csv:1"}};
  for (const auto& [text, part] : csvs) {
    const auto error = error_of([&] { csv(text); });
    BOOST_TEST(error.find(part) != std::string::npos, text << ": " << error);
  }
  for (const char* text :
       {"{", "[]", "{}", R"({"timestamp": 1, "output_length": 1})",
        R"({"timestamp": "a", "output_length": 1, "input_length": 1})",
        R"({"timestamp": 1, "output_length": 1, "prompt_tokens": [-1]})",
        R"({"timestamp": 1, "output_length": 1, "prompt_tokens": []})"}) {
    const auto error = error_of([&] { lines(text); });
    BOOST_TEST(error.find("t.jsonl:1: ") == 0u, text << ": " << error);
  }
}

BOOST_AUTO_TEST_CASE(a_missing_file_is_named) {
  const auto error = error_of([] { read_trace("/nowhere/t.csv", 0); });
  BOOST_TEST(error.find("/nowhere/t.csv: ") == 0u, error);
}

BOOST_AUTO_TEST_SUITE_END()
