// SPDX-License-Identifier: Apache-2.0
// sluice list: the models of a daemon.
#include <cstdio>

#include "tools/cli/commands.hpp"
#include "tools/cli/connection.hpp"
#include "tools/cli/exit_code.hpp"
#include "tools/cli/json_output.hpp"
#include "tools/cli/output.hpp"

namespace sluice::cli {
namespace {

std::string for_people(const messages::ModelsT& models) {
  auto text = std::string{
      "NAME                     FAMILY      CONTEXT    WEIGHTS  KV TOKENS\n"};
  for (const auto& model : models.models) {
    char line[256];
    std::snprintf(
        line, sizeof line, "%-24.64s %-10.32s %8u %7.1f MiB %9llu\n",
        model->name.c_str(), model->family.c_str(), model->context_tokens,
        static_cast<double>(model->weight_bytes) / (1 << 20),
        static_cast<unsigned long long>(model->kv_pages) * model->page_tokens);
    text += line;
  }
  return text;
}

int list(const connection_flags& where, bool as_json) {
  connection connection{where};
  const auto models = connection.get().models();
  print(as_json ? to_line(to_json(models)) + "\n" : for_people(models));
  return exit_done;
}

} // namespace

void add_list(CLI::App& program, int& code) {
  auto* app = program.add_subcommand("list", "List the models of the daemon");
  app->footer("Example:\n  sluice list --json | jq '.[].name'");
  const auto where = add_endpoint_flags(*app);
  auto as_json = std::make_shared<bool>(false);
  app->add_flag("--json", *as_json, "Print a JSON list");
  app->final_callback([=, &code] { code = list(*where, *as_json); });
}

} // namespace sluice::cli
