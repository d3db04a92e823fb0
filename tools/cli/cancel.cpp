// SPDX-License-Identifier: Apache-2.0
// sluice cancel: ends a request of any client.
#include "tools/cli/commands.hpp"
#include "tools/cli/connection.hpp"
#include "tools/cli/exit_code.hpp"
#include "tools/cli/json_output.hpp"
#include "tools/cli/output.hpp"

namespace sluice::cli {
namespace {

int cancel(const std::string& text, const connection_flags& where,
           bool as_json) {
  const auto id = messages::request_id::parse(text);
  if (!id)
    throw client::bad_request{"'" + text +
                              "' is not a request id: 32 hex digits"};
  connection connection{where};
  const bool found = connection.get().cancel_and_wait(*id);
  print_line(as_json ? to_line({{"id", id->hex()}, {"found", found}})
             : found ? "cancelled " + id->hex()
                     : "no such request: " + id->hex());
  return found ? exit_done : exit_failed;
}

} // namespace

void add_cancel(CLI::App& program, int& code) {
  auto* app = program.add_subcommand("cancel", "End a request");
  app->footer("Example:\n  sluice cancel 0123456789abcdef0123456789abcdef");
  auto id = std::make_shared<std::string>();
  app->add_option("id", *id, "The request's id")->required()->type_name("ID");
  const auto where = add_endpoint_flags(*app);
  auto as_json = std::make_shared<bool>(false);
  app->add_flag("--json", *as_json, "Print a JSON object");
  app->final_callback([=, &code] { code = cancel(*id, *where, *as_json); });
}

} // namespace sluice::cli
