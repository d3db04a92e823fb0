// SPDX-License-Identifier: Apache-2.0
// sluice show: what is in a model file.
#include "model/show.hpp"

#include "tools/cli/commands.hpp"
#include "tools/cli/exit_code.hpp"
#include "tools/cli/output.hpp"

namespace sluice::cli {
namespace {

int show(const std::string& path, bool as_json) {
  const auto model = checkpoint::open(path);
  const auto description = describe(model, describe_architecture(model));
  constexpr auto replace = nlohmann::json::error_handler_t::replace;
  print(as_json ? description.dump(2, ' ', false, replace) + "\n"
                : show_text(description));
  return exit_done;
}

} // namespace

void add_show(CLI::App& program, int& code) {
  auto* app = program.add_subcommand(
      "show", "Print a model file's architecture, tensors and memory");
  app->footer("Examples:\n  sluice show models/pebble\n"
              "  sluice show pebble.gguf --json | jq .memory");
  auto path = std::make_shared<std::string>();
  app->add_option("model", *path, "Hugging Face directory or .gguf file")
      ->required()
      ->type_name("MODEL");
  auto as_json = std::make_shared<bool>(false);
  app->add_flag("--json", *as_json, "Print a JSON object");
  app->final_callback([=, &code] { code = show(*path, *as_json); });
}

} // namespace sluice::cli
