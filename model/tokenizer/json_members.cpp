// SPDX-License-Identifier: Apache-2.0
#include "model/tokenizer/json_components.hpp"
#include "model/tokenizer/refuse.hpp"

namespace sluice {

namespace {

using nlohmann::json;

const json null_value;

const json& member(const json& object, const char* key) {
  if (!object.is_object())
    return null_value;
  const auto found = object.find(key);
  return found == object.end() ? null_value : *found;
}

const json& typed(const json& object, const char* key, json::value_t type,
                  const std::string& wanted) {
  const auto& found = member(object, key);
  if (found.type() != type)
    refuse_tokenizer(model_fault::wrong_type, std::string("key '") + key + "'",
                     "expected " + wanted);
  return found;
}

} // namespace

std::string text_member(const json& object, const char* key,
                        const std::string& fallback) {
  if (member(object, key).is_null())
    return fallback;
  return typed(object, key, json::value_t::string, "a string")
      .get<std::string>();
}

bool flag_member(const json& object, const char* key, bool fallback) {
  if (member(object, key).is_null())
    return fallback;
  return typed(object, key, json::value_t::boolean, "true or false")
      .get<bool>();
}

const json& list_member(const json& object, const char* key) {
  return typed(object, key, json::value_t::array, "a list");
}

const json& object_member(const json& object, const char* key) {
  return typed(object, key, json::value_t::object, "an object");
}

std::string component_type(const json& component, const char* slot) {
  const auto type = text_member(component, "type", "");
  if (type.empty())
    refuse_tokenizer(model_fault::malformed, slot,
                     "the component has no 'type'");
  return type;
}

void refuse_component(const char* slot, const std::string& type,
                      const std::string& known) {
  refuse_tokenizer(model_fault::unsupported, slot,
                   "'" + printable(type) +
                       "' is not supported; known: " + known,
                   convert_tokenizer);
}

} // namespace sluice
