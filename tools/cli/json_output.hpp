// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "tools/client/client.hpp"
#include "tools/client/completion.hpp"

namespace sluice::cli {

using json = nlohmann::ordered_json;

/// One line; bytes that are not UTF-8 are replaced.
std::string to_line(const json& value);

/// {"code": "queue_full", "text": "…", "retry_after_ms": 500}
json to_json(const client::failure& failure);

/// [{"token": 17, "text": "a", "logprob": -0.5, "rank": 1, "top": [...]}, ...]
json to_json(const messages::TokenScoresT& scores);

/// The bytes of a scored token; may be part of a character.
std::string piece_of(const messages::TokenScoresT& scores, std::size_t index);

/// {"prompt_tokens": 12, "generated_tokens": 34, …}, times in microseconds.
json to_json(const messages::ReceiptT& receipt);

/// {"text": "…", "tokens": […], "finish_reason": "stop_token", …}
json to_json(const client::sequence_text& sequence);

/// One of the events of a request, for `generate --json-events`.
json to_json(const client::event& event);

json to_json(const messages::HealthT& health);
json to_json(const messages::ModelsT& models);
json to_json(const messages::StatsT& stats);

/// "ready", "draining", …
std::string_view to_string(messages::HealthState state);

} // namespace sluice::cli
