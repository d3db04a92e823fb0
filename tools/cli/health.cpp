// SPDX-License-Identifier: Apache-2.0
// sluice health: is the daemon well? For people and for probes.
#include "tools/cli/commands.hpp"
#include "tools/cli/connection.hpp"
#include "tools/cli/exit_code.hpp"
#include "tools/cli/json_output.hpp"
#include "tools/cli/output.hpp"

namespace sluice::cli {
namespace {

std::string for_people(const messages::HealthT& health) {
  auto text = std::string{to_string(health.state)} + ": " +
              std::to_string(health.running) + " running, " +
              std::to_string(health.waiting) + " waiting, up " +
              std::to_string(health.uptime_ms / 1000) + " s, sluiced " +
              health.version;
  return health.text.empty() ? text : text + "; " + health.text;
}

int health(const connection_flags& where, bool as_json) {
  connection connection{where};
  const auto health = connection.get().health();
  print_line(as_json ? to_line(to_json(health)) : for_people(health));
  return health.state == messages::HealthState::ready ? exit_done : exit_failed;
}

} // namespace

void add_health(CLI::App& program, int& code) {
  auto* app = program.add_subcommand(
      "health", "Say how the daemon is; exit code 0 only if it is ready");
  app->footer("Example:\n  sluice health --json | jq .waiting");
  const auto where = add_endpoint_flags(*app);
  auto as_json = std::make_shared<bool>(false);
  app->add_flag("--json", *as_json, "Print a JSON object");
  app->final_callback([=, &code] { code = health(*where, *as_json); });
}

} // namespace sluice::cli
