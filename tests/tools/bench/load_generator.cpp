// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/serve/load_generator.hpp"

#include <algorithm>

#include <boost/test/unit_test.hpp>

#include "kernels/check.hpp"
#include "tools/cli/connection.hpp"

using namespace sluice;
using namespace sluice::bench;

namespace {

/// A daemon in this process.
cli::connection pebble() {
  cli::connection_flags flags;
  flags.model = SLUICE_SOURCE_DIR "/tests/models/pebble-q8_0.gguf";
  flags.threads = 1;
  return cli::connection{flags};
}

std::vector<planned_request> requests(std::uint32_t count, double rate) {
  return make_workload(random_workload{.requests = count,
                                       .input_tokens = 9,
                                       .output_tokens = 5,
                                       .arrivals = {.rate = rate}},
                       256);
}

const auto ignore = [](std::size_t) {};

/// Requests that were running at one time, at most.
int most_at_once(const std::vector<request_record>& records) {
  int most = 0;
  for (const auto& one : records)
    most = std::max(most,
                    static_cast<int>(std::count_if(
                        records.begin(), records.end(), [&](const auto& other) {
                          return other.sent <= one.sent &&
                                 one.sent < other.chunks.back().at;
                        })));
  return most;
}

} // namespace

BOOST_AUTO_TEST_SUITE(bench_load_generator)

BOOST_AUTO_TEST_CASE(every_request_gets_its_tokens_and_no_more_run_at_once) {
  auto daemon = pebble();
  load_generator generator{daemon.options(),
                           {.connections = 2, .concurrency = 4}};
  std::size_t last_count = 0;
  const auto result = generator.run(
      requests(12, 0), [&](std::size_t ended) { last_count = ended; });
  BOOST_TEST(result.records.size() == 12u);
  for (const auto& record : result.records) {
    BOOST_TEST(record.success, record.error);
    BOOST_TEST(record.input_tokens == 9u);
    BOOST_TEST(record.output_tokens() == 5u);
    BOOST_TEST(record.chunks.front().at > record.sent);
    BOOST_TEST(record.chunks.back().at <= result.duration);
  }
  BOOST_TEST(most_at_once(result.records) <= 4);
  BOOST_TEST(last_count <= 12u);
}

BOOST_AUTO_TEST_CASE(requests_wait_until_they_are_due) {
  auto daemon = pebble();
  load_generator generator{daemon.options(), {}};
  const auto result = generator.run(requests(5, 50), ignore);
  for (const auto& record : result.records)
    BOOST_TEST(record.sent >= record.due);
  BOOST_TEST(result.duration >= 0.1); // 5 requests at 50 per second
}

BOOST_AUTO_TEST_CASE(a_refused_request_is_recorded_and_the_others_go_on) {
  auto daemon = pebble();
  load_generator generator{daemon.options(), {}};
  auto some = requests(3, 0);
  some[1].prompt.assign(1 << 16, 20); // longer than any context of pebble
  const auto result = generator.run(some, ignore);
  BOOST_TEST(result.records[0].success);
  BOOST_TEST(!result.records[1].success);
  BOOST_TEST(!result.records[1].error.empty());
  BOOST_TEST(result.records[2].success);
}

BOOST_AUTO_TEST_CASE(connections_must_share_the_concurrency_evenly) {
  auto daemon = pebble();
  BOOST_CHECK_THROW(
      (load_generator{daemon.options(), {.connections = 2, .concurrency = 3}}),
      contract_violation);
  BOOST_CHECK_THROW(
      (load_generator{daemon.options(), {.connections = 4, .concurrency = 2}}),
      contract_violation);
}

BOOST_AUTO_TEST_SUITE_END()
