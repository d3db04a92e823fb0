// SPDX-License-Identifier: Apache-2.0
// The command line: one command a file in tools/cli/.
#include <csignal>
#include <cstdio>

#include <CLI/CLI.hpp>

#include "config/config.hpp"
#include "tools/cli/commands.hpp"
#include "tools/cli/exit_code.hpp"
#include "tools/cli/output.hpp"
#include "tools/client/events.hpp"

namespace {

using namespace sluice;

int complain(const std::exception& error, int code) {
  std::fprintf(stderr, "sluice: %s\n", error.what());
  return code;
}

void add_commands(CLI::App& program, int& code) {
  cli::add_generate(program, code);
  cli::add_map(program, code);
  cli::add_score(program, code);
  cli::add_health(program, code);
  cli::add_list(program, code);
  cli::add_show(program, code);
  cli::add_cancel(program, code);
  cli::add_stats(program, code);
  cli::add_top(program, code);
  cli::add_synth(program, code);
  cli::add_quantize(program, code);
  cli::add_bench(program, code);
  cli::add_config(program, code);
  cli::add_version(program, code);
  program.require_subcommand(0, 1);
  program.failure_message([](const CLI::App*, const CLI::Error& error) {
    return std::string{"sluice: "} + error.what() +
           "; `sluice COMMAND --help` explains\n";
  });
}

} // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN); // a closed pipe is seen when writing
  CLI::App program{"Streaming inference for large language models.", "sluice"};
  program.footer("Exit codes: 0 done, 1 the request failed, 2 bad usage, 3 no "
                 "daemon.\n`sluice COMMAND --help` shows examples.");
  int code = cli::exit_done;
  add_commands(program, code);
  try {
    program.parse(argc, argv);
    if (!program.get_subcommands().empty())
      return code;
    std::fputs(program.help().c_str(), stderr);
    return cli::exit_bad_usage;
  } catch (const CLI::ParseError& error) {
    return program.exit(error) == 0 ? cli::exit_done : cli::exit_bad_usage;
  } catch (const cli::output_closed&) {
    return cli::exit_failed;
  } catch (const client::no_daemon& error) {
    return complain(error, cli::exit_no_daemon);
  } catch (const client::bad_request& error) {
    return complain(error, cli::exit_bad_usage);
  } catch (const config::config_error& error) {
    return complain(error, cli::exit_bad_usage);
  } catch (const std::exception& error) {
    return complain(error, cli::exit_failed);
  }
}
