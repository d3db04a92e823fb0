// SPDX-License-Identifier: Apache-2.0
// sluice stats: every metric of the daemon, once.
#include "tools/cli/series.hpp"

#include "tools/cli/commands.hpp"
#include "tools/cli/connection.hpp"
#include "tools/cli/exit_code.hpp"
#include "tools/cli/json_output.hpp"
#include "tools/cli/output.hpp"

namespace sluice::cli {
namespace {

int stats(const connection_flags& where, bool as_json) {
  connection connection{where};
  const auto stats = connection.get().stats();
  print(as_json ? to_line(to_json(stats)) + "\n" : to_text(stats));
  return exit_done;
}

} // namespace

void add_stats(CLI::App& program, int& code) {
  auto* app = program.add_subcommand("stats", "Print every metric");
  app->footer("Example:\n  sluice stats | grep kv_pages");
  const auto where = add_endpoint_flags(*app);
  auto as_json = std::make_shared<bool>(false);
  app->add_flag("--json", *as_json, "Print a JSON list");
  app->final_callback([=, &code] { code = stats(*where, *as_json); });
}

} // namespace sluice::cli
