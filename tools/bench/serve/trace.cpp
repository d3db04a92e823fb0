// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/serve/trace.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <optional>

#include <nlohmann/json.hpp>

namespace sluice::bench {
namespace {

using json = nlohmann::json;

constexpr std::uint32_t most_tokens = 1 << 24; // of a request, to catch typos

/// Where a message points to.
struct place {
  const std::string& name;
  std::size_t line;

  [[noreturn]] void refuse(const std::string& what) const {
    throw trace_error{name + ":" + std::to_string(line) + ": " + what};
  }
};

/// Fields without quotes around them; quoted ones may hold commas.
std::vector<std::string> split(const std::string& line) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (const char c : line)
    if (c == '"')
      quoted = !quoted;
    else if (c == ',' && !quoted)
      fields.emplace_back();
    else if (c != '\r')
      fields.back() += c;
  return fields;
}

std::string lower(std::string text) {
  for (auto& c : text)
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

/// Positions of the three columns in the line of names.
std::array<std::size_t, 3> find_columns(const std::string& names,
                                        const place& at) {
  constexpr std::array wanted{"timestamp", "request tokens", "response tokens"};
  const auto fields = split(lower(names));
  std::array<std::size_t, 3> found{};
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const auto field = std::find(fields.begin(), fields.end(), wanted[i]);
    if (field == fields.end())
      at.refuse("no column '" + std::string{wanted[i]} +
                "'; the first line must name the columns");
    found[i] = static_cast<std::size_t>(field - fields.begin());
  }
  return found;
}

double number_of(const std::vector<std::string>& fields, std::size_t column,
                 const place& at) {
  double value = 0;
  const auto& text = column < fields.size() ? fields[column] : std::string{};
  const auto* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value);
  if (parsed.ec != std::errc{} || parsed.ptr != end || !(value >= 0))
    at.refuse("'" + text + "' in column " + std::to_string(column + 1) +
              " is not a number from 0 up");
  return value;
}

std::uint32_t tokens_of(double value, const place& at) {
  if (!(value >= 0 && value <= most_tokens))
    at.refuse("a request has no such number of tokens");
  return static_cast<std::uint32_t>(value);
}

double member(const json& object, const char* key, const place& at) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number() ||
      !(found->get<double>() >= 0))
    at.refuse(std::string{"'"} + key + "' must be a number from 0 up");
  return found->get<double>();
}

trace_entry entry_of(const json& object, const place& at) {
  if (!object.is_object())
    at.refuse("not a JSON object");
  trace_entry entry;
  entry.at = member(object, "timestamp", at) / 1e3;
  entry.output_tokens = tokens_of(member(object, "output_length", at), at);
  if (const auto ids = object.find("prompt_tokens"); ids != object.end()) {
    if (!ids->is_array() || ids->empty() ||
        !std::all_of(ids->begin(), ids->end(), [](const json& id) {
          return id.is_number_unsigned() && id <= 0xffffffffu;
        }))
      at.refuse("'prompt_tokens' must be a list of token ids");
    entry.prompt = ids->get<std::vector<std::uint32_t>>();
    entry.input_tokens = static_cast<std::uint32_t>(entry.prompt.size());
  } else {
    entry.input_tokens = tokens_of(member(object, "input_length", at), at);
  }
  return entry;
}

/// Without what cannot be served, and from 0 seconds on.
std::vector<trace_entry> finished(std::vector<trace_entry> entries,
                                  const std::string& name) {
  std::stable_sort(entries.begin(), entries.end(),
                   [](const auto& a, const auto& b) { return a.at < b.at; });
  if (entries.empty())
    throw trace_error{name + ": no request that has tokens"};
  const auto first = entries.front().at;
  for (auto& entry : entries)
    entry.at -= first;
  return entries;
}

bool is_enough(const std::vector<trace_entry>& entries, std::size_t most) {
  return most > 0 && entries.size() >= most;
}

bool is_served(const trace_entry& entry) {
  return entry.input_tokens > 0 && entry.output_tokens > 0;
}

} // namespace

std::vector<trace_entry>
parse_csv_trace(std::istream& in, const std::string& name, std::size_t most) {
  std::string line;
  place at{name, 1};
  std::getline(in, line);
  const auto [time, input, output] = find_columns(line, at);
  std::vector<trace_entry> entries;
  while (!is_enough(entries, most) && std::getline(in, line)) {
    ++at.line;
    if (line.empty() || line == "\r")
      continue;
    const auto fields = split(line);
    const trace_entry entry{number_of(fields, time, at),
                            tokens_of(number_of(fields, input, at), at),
                            tokens_of(number_of(fields, output, at), at),
                            {}};
    if (is_served(entry))
      entries.push_back(entry);
  }
  return finished(std::move(entries), name);
}

std::vector<trace_entry>
parse_json_trace(std::istream& in, const std::string& name, std::size_t most) {
  std::vector<trace_entry> entries;
  place at{name, 0};
  for (std::string line; !is_enough(entries, most) && std::getline(in, line);) {
    ++at.line;
    if (line.empty())
      continue;
    const auto object = json::parse(line, nullptr, false);
    if (object.is_discarded())
      at.refuse("not JSON");
    if (auto entry = entry_of(object, at); is_served(entry))
      entries.push_back(std::move(entry));
  }
  return finished(std::move(entries), name);
}

std::vector<trace_entry> read_trace(const std::string& path, std::size_t most) {
  std::ifstream file{path};
  if (!file)
    throw trace_error{path + ": " + std::strerror(errno)};
  return path.ends_with(".csv") ? parse_csv_trace(file, path, most)
                                : parse_json_trace(file, path, most);
}

} // namespace sluice::bench
