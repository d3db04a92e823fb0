// SPDX-License-Identifier: Apache-2.0
#include "config/toml_file.hpp"

#include <fstream>

#include <toml++/toml.h>

namespace sluice::config {
namespace {

constexpr std::uintmax_t largest_file = 1u << 20;

std::string read_text(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error))
    throw config_error{path.string() +
                       ": no such file; check the path after --config"};
  std::ifstream file{path, std::ios::binary};
  std::string text(largest_file + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (file.bad() || !file.eof())
    throw config_error{path.string() +
                       (file.good()
                            ? ": larger than 1 MiB; is it the "
                              "configuration?"
                            : ": cannot be read; check its permissions")};
  return text;
}

file_entry::kind kind_of(const toml::node& node) {
  if (node.is_string())
    return file_entry::kind::text;
  if (node.is_integer())
    return file_entry::kind::number;
  return node.is_boolean() ? file_entry::kind::boolean
                           : file_entry::kind::other;
}

std::string text_of(const toml::node& node) {
  if (const auto* text = node.as_string())
    return text->get();
  if (const auto* number = node.as_integer())
    return std::to_string(number->get());
  if (const auto* boolean = node.as_boolean())
    return boolean->get() ? "true" : "false";
  return {};
}

void flatten(const toml::table& table, const std::string& prefix,
             std::vector<file_entry>& entries) {
  for (const auto& [key, node] : table) {
    const auto name = prefix + std::string{key.str()};
    if (const auto* inner = node.as_table())
      flatten(*inner, name + ".", entries);
    else
      entries.push_back({name, text_of(node), kind_of(node),
                         static_cast<unsigned>(node.source().begin.line)});
  }
}

} // namespace

std::vector<file_entry> read_toml(const std::filesystem::path& path) {
  const auto text = read_text(path);
  try {
    std::vector<file_entry> entries;
    flatten(toml::parse(text, path.string()), "", entries);
    return entries;
  } catch (const toml::parse_error& error) {
    throw config_error{path.string() + ":" +
                       std::to_string(error.source().begin.line) + ": " +
                       std::string{error.description()}};
  }
}

} // namespace sluice::config
