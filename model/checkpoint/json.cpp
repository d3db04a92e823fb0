// SPDX-License-Identifier: Apache-2.0
#include "model/checkpoint/json.hpp"

#include <cmath>
#include <set>

namespace sluice {

namespace {

using nlohmann::json;

/// Watches the parser: depth, and keys that repeat within one object.
class parse_guard {
public:
  parse_guard(std::string_view file, int depth) : file_(file), depth_(depth) {}

  bool operator()(int depth, json::parse_event_t event, json& parsed) {
    const bool opens = event == json::parse_event_t::object_start ||
                       event == json::parse_event_t::array_start;
    if (opens && depth >= depth_) // `depth` does not count what opens here
      throw model_error(model_fault::limit, {file_, ""},
                        "JSON nested deeper than " + std::to_string(depth_),
                        download_again);
    if (event == json::parse_event_t::object_start)
      open_objects_.emplace_back();
    if (event == json::parse_event_t::object_end)
      open_objects_.pop_back();
    if (event == json::parse_event_t::key)
      note_key(parsed.get_ref<const std::string&>());
    return true;
  }

private:
  void note_key(const std::string& key) {
    if (!open_objects_.back().insert(key).second)
      throw model_error(model_fault::duplicate, {file_, "key '" + key + "'"},
                        "the key appears twice in one JSON object",
                        download_again);
  }

  std::string_view file_;
  int depth_;
  std::vector<std::set<std::string>> open_objects_;
};

bool is_u64(const json& value) {
  return value.is_number_unsigned() ||
         (value.is_number_integer() && value.get<std::int64_t>() >= 0);
}

} // namespace

json parse_json(std::span<const std::byte> text, std::string_view file,
                json_limits limits) {
  if (text.size() > limits.bytes)
    throw model_error(model_fault::limit, {file, ""},
                      "more than " + std::to_string(limits.bytes) +
                          " bytes of JSON",
                      download_again);
  const auto* first = reinterpret_cast<const char*>(text.data());
  try {
    json value = json::parse(first, first + text.size(),
                             parse_guard(file, limits.depth));
    if (value.is_object())
      return value;
  } catch (const json::exception& error) {
    throw model_error(model_fault::malformed, {file, ""},
                      "not valid JSON: " + printable(error.what()),
                      download_again);
  }
  throw model_error(model_fault::malformed, {file, ""},
                    "the JSON is not an object", download_again);
}

const json* json_reader::find(std::string_view key) const {
  const auto found = object_->find(key);
  return found == object_->end() || found->is_null() ? nullptr : &*found;
}

const json& json_reader::require(std::string_view key) const {
  if (const auto* value = find(key))
    return *value;
  throw model_error(model_fault::missing,
                    {file_, "key '" + std::string(key) + "'"},
                    "the key is required and absent",
                    "use the files as their publisher made them");
}

void json_reader::wrong_type(std::string_view key,
                             std::string_view wanted) const {
  throw model_error(model_fault::wrong_type,
                    {file_, "key '" + std::string(key) + "'"},
                    "expected " + std::string(wanted), download_again);
}

std::uint64_t json_reader::u64(std::string_view key) const {
  const auto& value = require(key);
  if (!is_u64(value))
    wrong_type(key, "an integer that is not negative");
  return value.get<std::uint64_t>();
}

std::uint64_t json_reader::u64(std::string_view key,
                               std::uint64_t fallback) const {
  return has(key) ? u64(key) : fallback;
}

double json_reader::number(std::string_view key) const {
  const auto& value = require(key);
  if (!value.is_number() || !std::isfinite(value.get<double>()))
    wrong_type(key, "a finite number");
  return value.get<double>();
}

double json_reader::number(std::string_view key, double fallback) const {
  return has(key) ? number(key) : fallback;
}

bool json_reader::flag(std::string_view key, bool fallback) const {
  const auto* value = find(key);
  if (value && !value->is_boolean())
    wrong_type(key, "true or false");
  return value ? value->get<bool>() : fallback;
}

std::string json_reader::text(std::string_view key) const {
  const auto& value = require(key);
  if (!value.is_string())
    wrong_type(key, "a string");
  return value.get<std::string>();
}

std::string json_reader::text(std::string_view key,
                              std::string_view fallback) const {
  return has(key) ? text(key) : std::string(fallback);
}

std::vector<std::uint64_t> json_reader::u64_list(std::string_view key) const {
  const auto* value = find(key);
  if (!value)
    return {};
  if (is_u64(*value))
    return {value->get<std::uint64_t>()};
  std::vector<std::uint64_t> list;
  if (!value->is_array())
    wrong_type(key, "an integer or a list of integers");
  for (const auto& element : *value) {
    if (!is_u64(element))
      wrong_type(key, "integers that are not negative");
    list.push_back(element.get<std::uint64_t>());
  }
  return list;
}

const json* json_reader::object(std::string_view key) const {
  const auto* value = find(key);
  if (value && !value->is_object())
    wrong_type(key, "an object");
  return value;
}

} // namespace sluice
