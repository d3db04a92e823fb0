// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/config_flags.hpp"

#include "config/options.hpp"

namespace sluice::cli {
namespace {

void add_option_flag(CLI::App& app, const config::option& option,
                     const std::shared_ptr<config_flags>& flags) {
  const std::string key{option.key};
  const auto store = [flags, key](const std::string& text) {
    flags->values.emplace_back(key, text);
  };
  const auto section = key.substr(0, key.find('.'));
  auto value = config::get(option);
  auto help = std::string{option.help} +
              ". Default: " + (value.empty() ? "empty" : value);
  app.add_option_function<std::string>("--" + key, store, help)
      ->type_name(config::describe_values(option))
      ->group("Options of [" + section + "]");
}

} // namespace

std::shared_ptr<config_flags> add_config_flags(CLI::App& app) {
  auto flags = std::make_shared<config_flags>();
  app.add_option("-c,--config", flags->file, "TOML file with options")
      ->envname("SLUICE_CONFIG")
      ->type_name("FILE");
  config::config defaults;
  for (const auto& option : config::options(defaults))
    add_option_flag(app, option, flags);
  return flags;
}

void refuse_unknown(const CLI::App& app) {
  for (const auto& text : app.remaining())
    if (text.starts_with("--"))
      throw config::config_error{"unknown flag " + text + "; " +
                                 config::suggest(text.substr(2))};
  if (app.remaining_size() > 0)
    throw config::config_error{"unexpected argument '" + app.remaining()[0] +
                               "'; options look like --log.level debug"};
}

config::loaded_config load_config(const config_flags& flags) {
  config::sources from;
  if (!flags.file.empty())
    from.file = flags.file;
  from.environment = config::process_environment();
  from.flags = flags.values;
  return config::load(from);
}

} // namespace sluice::cli
