// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/log_setup.hpp"

#include <boost/test/unit_test.hpp>

using sluice::cli::json_log_line;

BOOST_AUTO_TEST_SUITE(cli_log_setup)

BOOST_AUTO_TEST_CASE(a_log_line_is_one_json_object) {
  BOOST_TEST(json_log_line(1'700'000'000'042, "info", "ready") ==
             R"({"time":"2023-11-14T22:13:20.042Z","level":"info",)"
             R"("text":"ready"})");
}

BOOST_AUTO_TEST_CASE(hostile_text_cannot_forge_a_line) {
  const auto line = json_log_line(0, "warn", "a\n\"level\":\"error\xff\x01");
  BOOST_TEST(line.find('\n') == std::string::npos);
  BOOST_TEST(line.find("\\n\\\"level\\\"") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
