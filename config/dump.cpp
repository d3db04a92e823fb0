// SPDX-License-Identifier: Apache-2.0
#include "config/dump.hpp"

#include <nlohmann/json.hpp>

#include "config/options.hpp"

namespace sluice::config {
namespace {

constexpr std::string_view file_header =
    "# SPDX-License-Identifier: Apache-2.0\n"
    "# Every option of sluiced with its default; all of them may be left out.\n"
    "# Flags (--memory.kv_bytes 8GiB) win over the environment\n"
    "# (SLUICE_MEMORY_KV_BYTES=8GiB), the environment wins over this file.\n"
    "# Written by `sluice config print --defaults`.\n";

struct split_key {
  std::string_view section;
  std::string_view name;
};

split_key split(std::string_view key) {
  const auto dot = key.find('.');
  return {key.substr(0, dot), key.substr(dot + 1)};
}

bool is_bare(const option& o) {
  return std::holds_alternative<bool*>(o.field) ||
         std::holds_alternative<std::uint32_t*>(o.field);
}

/// A TOML basic string; values hold no control characters (see set()).
std::string quote(std::string_view text) {
  std::string quoted{'"'};
  for (const char c : text) {
    if (c == '"' || c == '\\')
      quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

std::string toml_line(const option& o) {
  const auto value = get(o);
  return std::string{split(o.key).name} + " = " +
         (is_bare(o) ? value : quote(value));
}

std::string help_comment(const option& o) {
  const auto values = describe_values(o);
  return "# " + std::string{o.help} + "." +
         (values.empty() || values == "text" ? "" : " [" + values + "]") + "\n";
}

std::string origin_of(const loaded_config& from, std::string_view key) {
  const auto found = from.origins.find(key);
  return found == from.origins.end() ? "default" : found->second;
}

nlohmann::ordered_json json_value(const option& o) {
  if (const auto* flag = std::get_if<bool*>(&o.field))
    return **flag;
  if (const auto* count = std::get_if<std::uint32_t*>(&o.field))
    return **count;
  return get(o);
}

} // namespace

std::string dump_toml(const loaded_config& from, dump_style style) {
  auto values = from.values;
  std::string out =
      style == dump_style::with_help ? std::string{file_header} : std::string{};
  std::string_view section;
  for (const auto& o : options(values)) {
    if (split(o.key).section != section) {
      section = split(o.key).section;
      out += (out.empty() ? "[" : "\n[") + std::string{section} + "]\n";
    }
    if (style == dump_style::with_help)
      out += help_comment(o);
    out += toml_line(o);
    if (style == dump_style::with_origins)
      out += "  # " + origin_of(from, o.key);
    out += '\n';
  }
  return out;
}

std::string dump_json(const loaded_config& from) {
  auto values = from.values;
  nlohmann::ordered_json out;
  for (const auto& o : options(values)) {
    const auto [section, name] = split(o.key);
    out[std::string{section}][std::string{name}] = {
        {"value", json_value(o)}, {"origin", origin_of(from, o.key)}};
  }
  using handler = nlohmann::ordered_json::error_handler_t;
  return out.dump(2, ' ', false, handler::replace) + "\n";
}

std::string option_help() {
  config defaults;
  std::string out;
  for (const auto& o : options(defaults)) {
    const auto values = describe_values(o);
    const auto value = get(o);
    out += "  --" + std::string{o.key} + "  " + environment_name(o.key) +
           "\n      " + std::string{o.help} +
           ". Default: " + (value.empty() ? "empty" : value) +
           (values.empty() ? "" : " (" + values + ")") + "\n";
  }
  return out;
}

} // namespace sluice::config
