// SPDX-License-Identifier: Apache-2.0
// sluiced over a device that is lost when a test says so; not installed.
#include <cstdio>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "actors/daemon.hpp"
#include "tests/support/lossy_device.hpp"
#include "tools/cli/config_flags.hpp"
#include "tools/cli/log_setup.hpp"

int main(int argc, char** argv) {
  using namespace sluice;
  const auto losses = std::make_shared<tests::loss_script>();
  std::vector<std::uint64_t> fatal;
  CLI::App app{"A daemon that loses its device.", "sluiced-lossy"};
  app.add_option("--lose", fatal, "Steps in which it does, counted from 1")
      ->delimiter(',');
  app.add_option("--stillborn", losses->stillborn,
                 "Devices that cannot be made after the first loss");
  app.allow_extras();
  const auto flags = cli::add_config_flags(app);
  try {
    app.parse(argc, argv);
    cli::refuse_unknown(app);
    losses->fatal = {fatal.begin(), fatal.end()};
    const auto configuration = cli::load_config(*flags).values;
    cli::set_up_log(configuration.log);
    const auto stillborn = std::exchange(losses->stillborn, 0);
    actors::daemon_hooks hooks;
    hooks.handle_signals = true;
    hooks.device = tests::losing(losses);
    actors::daemon daemon{configuration, std::move(hooks)};
    daemon.start();
    losses->stillborn = stillborn;
    return daemon.wait();
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "sluiced-lossy: %s\n", error.what());
    return 1;
  }
}
