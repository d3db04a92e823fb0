// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/config_flags.hpp"

#include <boost/test/unit_test.hpp>

using namespace sluice;

namespace {

/// What a command line gives.
config::loaded_config load_line(const std::string& line) {
  CLI::App app;
  app.allow_extras();
  const auto flags = cli::add_config_flags(app);
  app.parse(line);
  cli::refuse_unknown(app);
  return cli::load_config(*flags);
}

std::string error_of(const std::string& line) {
  try {
    load_line(line);
    return {};
  } catch (const config::config_error& error) {
    return error.what();
  }
}

} // namespace

BOOST_AUTO_TEST_SUITE(cli_config_flags)

BOOST_AUTO_TEST_CASE(flags_set_options) {
  const auto loaded =
      load_line("--memory.kv_bytes 1GiB --executor.pin off --limits.queue=7");
  BOOST_TEST(loaded.values.memory.kv_bytes.count == 1u << 30);
  BOOST_TEST(!loaded.values.executor.pin);
  BOOST_TEST(loaded.values.limits.queue == 7u);
  BOOST_TEST(loaded.origins.at("limits.queue") == "--limits.queue");
}

BOOST_AUTO_TEST_CASE(a_file_is_read_below_the_flags) {
  const auto loaded = load_line("--config " SLUICE_SOURCE_DIR
                                "/config/sluice.toml --limits.queue 7");
  BOOST_TEST(loaded.values.limits.queue == 7u);
  BOOST_TEST(loaded.origins.at("limits.queue") == "--limits.queue");
  BOOST_TEST(loaded.origins.count("log.level") == 1u);
}

BOOST_AUTO_TEST_CASE(unknown_flags_are_refused_with_a_suggestion) {
  BOOST_TEST(
      error_of("--memory.kv_byte 1").find("did you mean 'memory.kv_bytes'?") !=
      std::string::npos);
  BOOST_TEST(error_of("stray").find("unexpected argument 'stray'") !=
             std::string::npos);
  BOOST_TEST(error_of("--limits.queue many").find("not a whole number") !=
             std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
