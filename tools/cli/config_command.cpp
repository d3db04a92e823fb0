// SPDX-License-Identifier: Apache-2.0
// sluice config print: what the daemon would be told.
#include "config/dump.hpp"
#include "tools/cli/commands.hpp"
#include "tools/cli/config_flags.hpp"
#include "tools/cli/exit_code.hpp"
#include "tools/cli/output.hpp"

namespace sluice::cli {
namespace {

struct print_flags {
  bool origin = false;
  bool as_json = false;
  bool defaults = false;
};

int print_config(const print_flags& flags, const config_flags& from) {
  using config::dump_style;
  const auto loaded =
      flags.defaults ? config::loaded_config{} : load_config(from);
  if (flags.as_json)
    print(config::dump_json(loaded));
  else
    print(config::dump_toml(loaded, flags.defaults ? dump_style::with_help
                                    : flags.origin ? dump_style::with_origins
                                                   : dump_style::plain));
  return exit_done;
}

} // namespace

void add_config(CLI::App& program, int& code) {
  auto* app = program.add_subcommand("config", "Look at the configuration");
  app->require_subcommand(1);
  auto* print_app = app->add_subcommand(
      "print", "Print every option as the daemon would see it");
  print_app->footer(
      "Examples:\n  sluice config print --config sluice.toml --origin\n"
      "  sluice config print --defaults > sluice.toml");
  auto flags = std::make_shared<print_flags>();
  print_app->add_flag("--origin", flags->origin,
                      "Say where each value is from");
  print_app->add_flag("--json", flags->as_json,
                      "Print a JSON object with values and origins");
  print_app->add_flag("--defaults", flags->defaults,
                      "Print the defaults with an explanation of each");
  print_app->allow_extras();
  const auto from = add_config_flags(*print_app);
  print_app->final_callback([=, &code] {
    refuse_unknown(*print_app);
    code = print_config(*flags, *from);
  });
}

} // namespace sluice::cli
