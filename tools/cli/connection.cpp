// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/connection.hpp"

#include <unistd.h>

#include "actors/endpoint.hpp"
#include "config/load.hpp"
#include "tools/cli/log_setup.hpp"
#include "tools/cli/progress_bar.hpp"

namespace sluice::cli {
namespace {

/// "memory.kv_bytes=1GiB" -> {"memory.kv_bytes", "1GiB"}.
std::pair<std::string, std::string> split_setting(const std::string& text) {
  const auto equals = text.find('=');
  if (equals == std::string::npos)
    throw config::config_error{"--set '" + text +
                               "' is not OPTION=VALUE, as in "
                               "memory.kv_bytes=1GiB"};
  return {text.substr(0, equals), text.substr(equals + 1)};
}

/// Sockets inside this process, and a quiet log; --set may say otherwise. The
/// environment holds where no flag does, as for the daemon.
config::config own_configuration(const connection_flags& flags) {
  config::sources from;
  from.environment = config::process_environment();
  from.flags = {{"daemon.control_endpoint", "inproc://sluice-control"},
                {"daemon.stream_endpoint", "inproc://sluice-streams"},
                {"log.level", "warn"},
                {"model.path", flags.model}};
  if (flags.threads > 0)
    from.flags.push_back({"executor.threads", std::to_string(flags.threads)});
  for (const auto& text : flags.settings)
    from.flags.push_back(split_setting(text));
  return config::load(from).values;
}

} // namespace

std::shared_ptr<connection_flags> add_endpoint_flags(CLI::App& app) {
  auto flags = std::make_shared<connection_flags>();
  constexpr auto group = "Connection";
  app.add_option("-e,--endpoint", flags->endpoint,
                 "Control endpoint of a daemon; default: " + default_endpoint())
      ->envname("SLUICE_ENDPOINT")
      ->type_name("ENDPOINT")
      ->group(group);
  app.add_option("--tenant", flags->tenant, "Whose requests")
      ->envname("SLUICE_TENANT")
      ->type_name("NAME")
      ->group(group);
  app.add_option_function<std::uint32_t>(
         "--timeout",
         [flags](std::uint32_t ms) {
           flags->timeout = std::chrono::milliseconds{ms};
         },
         "Longest wait for an answer; default 5000")
      ->type_name("MS")
      ->group(group);
  return flags;
}

std::shared_ptr<connection_flags> add_connection_flags(CLI::App& app) {
  auto flags = add_endpoint_flags(app);
  flags->can_host = true;
  constexpr auto group = "Model in this process (without --endpoint)";
  app.add_option("--model", flags->model,
                 "Hugging Face directory or .gguf file to load")
      ->type_name("PATH")
      ->group(group);
  app.add_option("-t,--threads", flags->threads,
                 "Threads that compute; 0: one a core")
      ->group(group);
  app.add_option("--set", flags->settings, "Any option of the daemon")
      ->allow_extra_args(false)
      ->type_name("OPTION=VALUE")
      ->group(group);
  return flags;
}

std::string default_endpoint() {
  return actors::ipc_endpoint(actors::default_run_dir(),
                              config::daemon_section{}.name, "control");
}

connection::connection(const connection_flags& flags) {
  options_.tenant = flags.tenant;
  options_.answer_timeout = flags.timeout;
  options_.name = "sluice-cli";
  if (flags.endpoint.empty() && !flags.model.empty()) {
    start_daemon(flags);
    options_.endpoint = daemon_->control_endpoint();
    options_.context = daemon_->native_context();
  } else {
    options_.endpoint =
        flags.endpoint.empty() ? default_endpoint() : flags.endpoint;
  }
  try {
    client_ = std::make_unique<client::client>(options_);
  } catch (const client::no_daemon& error) {
    if (daemon_ || !flags.can_host)
      throw;
    throw client::no_daemon{error.what() +
                            std::string{", or --model to run it here"}};
  }
}

void connection::start_daemon(const connection_flags& flags) {
  progress_bar bar{"weights", true};
  actors::daemon_hooks hooks;
  hooks.progress = [&bar](std::uint64_t done, std::uint64_t total) {
    bar.update(done, total);
  };
  const auto configuration = own_configuration(flags);
  set_up_log(configuration.log);
  daemon_ = std::make_unique<actors::daemon>(configuration, std::move(hooks));
  daemon_->start();
}

} // namespace sluice::cli
