// SPDX-License-Identifier: Apache-2.0
#include "config/load.hpp"

#include <algorithm>
#include <bit>
#include <string_view>

#include <unistd.h>

#include "config/options.hpp"
#include "config/tenant_weights.hpp"
#include "config/toml_file.hpp"

namespace sluice::config {
namespace {

constexpr std::string_view environment_prefix = "SLUICE_";

/// Applies texts to options and remembers who set what.
class loader {
public:
  void apply_file(const std::filesystem::path& path) {
    for (const auto& entry : read_toml(path)) {
      const auto where = path.string() + ":" + std::to_string(entry.line);
      check_type(require(entry.key, where), entry, where);
      assign(require(entry.key, where), entry.text, where);
    }
  }

  void apply_environment(const assignments& variables) {
    for (const auto& [name, text] : variables)
      if (const auto* target = find_variable(name))
        assign(*target, text, name);
      else
        refuse_typo(name);
  }

  void apply_flags(const assignments& flags) {
    for (const auto& [key, text] : flags)
      assign(require(key, "--" + key), text, "--" + key);
  }

  loaded_config take() && {
    validate(result_.values);
    return std::move(result_);
  }

private:
  const option& require(const std::string& key, const std::string& where) {
    const auto found = std::find_if(list_.begin(), list_.end(),
                                    [&](auto& o) { return o.key == key; });
    if (found == list_.end())
      throw config_error{where + ": unknown option '" + key + "'; " +
                         suggest(key)};
    return *found;
  }

  const option* find_variable(const std::string& name) {
    const auto found = std::find_if(list_.begin(), list_.end(), [&](auto& o) {
      return environment_name(o.key) == name;
    });
    return found == list_.end() ? nullptr : &*found;
  }

  /// SLUICE_LOG_LEVLE is a slip, SLUICE_BUILD_DIR is somebody else's.
  void refuse_typo(const std::string& name) {
    for (const auto& known : list_) {
      const auto section = known.key.substr(0, known.key.find('.') + 1);
      if (name.starts_with(environment_name(section)))
        throw config_error{name + ": unknown option; " +
                           suggest(as_key(name, section.size()))};
    }
  }

  static std::string as_key(std::string_view name, std::size_t section_size) {
    std::string key{name.substr(environment_prefix.size())};
    std::transform(key.begin(), key.end(), key.begin(), [](char c) {
      return c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c;
    });
    key[section_size - 1] = '.';
    return key;
  }

  static void check_type(const option& target, const file_entry& entry,
                         const std::string& where) {
    using enum file_entry::kind;
    const bool fits = std::visit(
        [&]<class T>(T*) {
          if constexpr (std::is_same_v<T, bool>)
            return entry.type == boolean;
          else if constexpr (std::is_same_v<T, std::uint32_t>)
            return entry.type == number;
          else if constexpr (std::is_same_v<T, byte_size>)
            return entry.type == number || entry.type == text;
          else
            return entry.type == text;
        },
        target.field);
    if (!fits)
      throw config_error{where + ": " + entry.key + " has the wrong type; " +
                         expected_form(target)};
  }

  static std::string expected_form(const option& target) {
    const auto quoted = !std::holds_alternative<bool*>(target.field) &&
                        !std::holds_alternative<std::uint32_t*>(target.field);
    const auto example = quoted ? "\"" + get(target) + "\"" : get(target);
    return "write it as in " + std::string{target.key} + " = " + example;
  }

  void assign(const option& target, const std::string& text,
              const std::string& where) {
    try {
      set(target, text);
    } catch (const config_error& error) {
      throw config_error{where + ": " + std::string{target.key} + ": " +
                         error.what()};
    }
    result_.origins.insert_or_assign(std::string{target.key}, where);
  }

  loaded_config result_;
  std::vector<option> list_ = options(result_.values);
};

void require_order(bool in_order, std::string_view smaller,
                   std::string_view larger) {
  if (!in_order)
    throw config_error{std::string{smaller} + " is larger than " +
                       std::string{larger} + "; lower it or raise the other"};
}

} // namespace

loaded_config load(const sources& from) {
  loader work;
  if (from.file)
    work.apply_file(*from.file);
  work.apply_environment(from.environment);
  work.apply_flags(from.flags);
  return std::move(work).take();
}

assignments process_environment() {
  assignments found;
  for (char** entry = environ; entry && *entry; ++entry) {
    const std::string_view text{*entry};
    const auto equals = text.find('=');
    if (text.starts_with(environment_prefix) && equals != text.npos)
      found.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  return found;
}

void validate(const config& values) {
  const auto& limits = values.limits;
  const auto& clients = values.clients;
  require_order(limits.window_bytes <= limits.windows_bytes,
                "limits.window_bytes", "limits.windows_bytes");
  require_order(clients.heartbeat <= clients.heartbeat_timeout,
                "clients.heartbeat", "clients.heartbeat_timeout");
  const auto page_tokens = values.memory.page_tokens;
  if (!std::has_single_bit(page_tokens))
    throw config_error{"memory.page_tokens: " + std::to_string(page_tokens) +
                       " is not a power of two; use 16"};
  try {
    parse_tenant_weights(values.tenants.weights);
  } catch (const config_error& error) {
    throw config_error{std::string{"tenants.weights: "} + error.what()};
  }
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '-' || c == '_';
  };
  const auto& name = values.daemon.name;
  if (name.empty() || !std::all_of(name.begin(), name.end(), allowed))
    throw config_error{"daemon.name: '" + name +
                       "' names files; use letters, digits, - and _"};
}

} // namespace sluice::config
