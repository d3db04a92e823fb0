// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/map_row.hpp"

#include <array>
#include <limits>

namespace sluice::cli {
namespace {

using messages::SubmitT;

client::failure invalid(std::string text) {
  return {messages::ErrorCode::invalid_argument, std::move(text)};
}

void read_prompt(const json& prompt, SubmitT& submit) {
  if (prompt.is_string()) {
    submit.prompt = prompt.get<std::string>();
    return;
  }
  constexpr auto largest = std::numeric_limits<std::uint32_t>::max();
  if (!prompt.is_array() || prompt.empty())
    throw client::bad_request{"\"prompt\" must be a string or token ids"};
  for (const auto& id : prompt) {
    if (!id.is_number_unsigned() || id.get<std::uint64_t>() > largest)
      throw client::bad_request{"\"prompt\" must be a string or token ids"};
    submit.prompt_tokens.push_back(id.get<std::uint32_t>());
  }
}

messages::Role read_role(const json& role) {
  constexpr std::array names{"system", "user", "assistant", "tool"};
  for (std::size_t i = 0; i < names.size(); ++i)
    if (role == names[i])
      return static_cast<messages::Role>(i);
  throw client::bad_request{"\"role\" must be system, user, assistant or tool"};
}

void read_messages(const json& list, SubmitT& submit) {
  if (!list.is_array() || list.empty())
    throw client::bad_request{"\"messages\" must be a list"};
  for (const auto& entry : list) {
    if (!entry.is_object() || !entry.contains("role") ||
        !entry.contains("content") || !entry["content"].is_string())
      throw client::bad_request{
          "each of \"messages\" needs \"role\" and \"content\""};
    auto message = std::make_unique<messages::ChatMessageT>();
    message->role = read_role(entry["role"]);
    message->content = entry["content"].get<std::string>();
    submit.messages.push_back(std::move(message));
  }
}

SubmitT read_request(const json& row, const request_flags& flags) {
  auto submit = to_submit(flags);
  if (row.contains("prompt") == row.contains("messages"))
    throw client::bad_request{"a row needs either \"prompt\" or \"messages\""};
  if (row.contains("prompt"))
    read_prompt(row["prompt"], submit);
  else
    read_messages(row["messages"], submit);
  if (row.contains("params"))
    apply_params(row["params"], submit);
  return submit;
}

json read_custom_id(const json& row) {
  if (!row.contains("custom_id"))
    return nullptr;
  const auto& id = row["custom_id"];
  if (!id.is_string() && !id.is_number())
    throw client::bad_request{"\"custom_id\" must be a string or a number"};
  return id;
}

json first_part(const json& custom_id, std::uint64_t line) {
  return {{"custom_id", custom_id}, {"line", line}};
}

} // namespace

map_row parse_row(const text_line& line, const request_flags& flags) {
  map_row result;
  if (line.too_long) {
    result.request = invalid("the line is longer than --max-line allows");
    return result;
  }
  try {
    const auto row = json::parse(line.text);
    if (!row.is_object())
      throw client::bad_request{"the line is not a JSON object"};
    result.custom_id = read_custom_id(row);
    result.request = read_request(row, flags);
  } catch (const json::exception&) {
    result.request = invalid("the line is not JSON in UTF-8");
  } catch (const client::bad_request& error) {
    result.request = invalid(error.what());
  }
  return result;
}

std::string format_result(const json& custom_id, std::uint64_t line,
                          const client::completion& text,
                          const client::finished& end) {
  auto row = first_part(custom_id, line);
  const auto& sequences = text.sequences();
  const auto first = sequences.find(0);
  const bool any = first != sequences.end();
  row["text"] = any ? first->second.text : "";
  row["finish_reason"] =
      messages::to_string(any ? first->second.reason : end.reason);
  if (sequences.size() > 1 || (any && (!first->second.logprobs.empty() ||
                                       !first->second.prompt.tokens.empty())))
    for (const auto& [index, sequence] : sequences)
      row["sequences"].push_back(to_json(sequence));
  row["usage"] = to_json(end.receipt);
  row["error"] = nullptr;
  return to_line(row);
}

std::string format_failure(const json& custom_id, std::uint64_t line,
                           const client::failure& failure) {
  auto row = first_part(custom_id, line);
  row["text"] = nullptr;
  row["finish_reason"] = nullptr;
  row["usage"] = nullptr;
  row["error"] = to_json(failure);
  return to_line(row);
}

} // namespace sluice::cli
