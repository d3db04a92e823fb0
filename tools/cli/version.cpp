// SPDX-License-Identifier: Apache-2.0
// sluice version: of the program, of its parts, of this CPU's kernels.
#include "tools/cli/version.hpp"

#include "kernels/select.hpp"
#include "tools/cli/commands.hpp"
#include "tools/cli/exit_code.hpp"
#include "tools/cli/json_output.hpp"
#include "tools/cli/output.hpp"
#include "tools/client/transport.hpp"

namespace sluice::cli {
namespace {

int show_version(bool as_json) {
  const std::string isa{name(detect())};
  print_line(as_json ? to_line({{"sluice", version},
                                {"protocol", 1},
                                {"zeromq", client::zeromq_version()},
                                {"isa", isa}})
                     : std::string{"sluice "} + version + " (ZeroMQ " +
                           client::zeromq_version() + ", " + isa + " kernels)");
  return exit_done;
}

} // namespace

void add_version(CLI::App& program, int& code) {
  auto* app = program.add_subcommand("version", "Print versions");
  auto as_json = std::make_shared<bool>(false);
  app->add_flag("--json", *as_json, "Print a JSON object");
  app->final_callback([=, &code] { code = show_version(*as_json); });
}

} // namespace sluice::cli
