// SPDX-License-Identifier: Apache-2.0
// The daemon: reads its configuration, serves, tells systemd how it is doing.
#include <cstdio>
#include <string>

#include <CLI/CLI.hpp>

#include "actors/daemon.hpp"
#include "tools/cli/config_flags.hpp"
#include "tools/cli/exit_code.hpp"
#include "tools/cli/log_setup.hpp"
#include "tools/cli/progress_bar.hpp"
#include "tools/cli/service_manager.hpp"
#include "tools/cli/version.hpp"

namespace {

using namespace sluice;

int serve(const config::config& configuration) {
  cli::service_manager manager;
  cli::progress_bar bar{"weights", true};
  actors::daemon_hooks hooks;
  hooks.handle_signals = true;
  hooks.progress = [&](std::uint64_t done, std::uint64_t total) {
    manager.loading(done, total);
    bar.update(done, total);
  };
  hooks.health = [&](const actors::health_report& report) {
    manager.health(report);
  };
  actors::daemon daemon{configuration, std::move(hooks)};
  daemon.start();
  bar.clear();
  manager.ready("Serving at " + daemon.control_endpoint());
  const auto code = daemon.wait();
  manager.stopping();
  return code;
}

int run(const config::config& configuration) {
  if (configuration.model.path.empty())
    throw config::config_error{
        "model.path is empty; pass --model.path DIR_OR_GGUF or set it in the "
        "file after --config"};
  cli::set_up_log(configuration.log);
  return serve(configuration);
}

} // namespace

int main(int argc, char** argv) {
  CLI::App app{"Streaming inference daemon for large language models.",
               "sluiced"};
  app.set_version_flag("--version", std::string{"sluiced "} + cli::version);
  app.footer("Example:\n  sluiced --model.path models/pebble "
             "--memory.kv_bytes 2GiB\nEvery option is also a SLUICE_SECTION_"
             "NAME variable and a line of the file.");
  app.failure_message([](const CLI::App*, const CLI::Error& error) {
    return std::string{"sluiced: "} + error.what() +
           "; `sluiced --help` lists all options\n";
  });
  app.allow_extras();
  const auto flags = cli::add_config_flags(app);
  try {
    app.parse(argc, argv);
    cli::refuse_unknown(app);
    return run(cli::load_config(*flags).values);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? cli::exit_done : cli::exit_bad_usage;
  } catch (const config::config_error& error) {
    std::fprintf(stderr, "sluiced: %s\n", error.what());
    return cli::exit_bad_usage;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "sluiced: %s\n", error.what());
    return cli::exit_failed;
  }
}
