// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/architecture.hpp"
#include "model/checkpoint/checkpoint.hpp"

#include <string>

#include <nlohmann/json.hpp>

namespace sluice {

/// What `sluice show MODEL` prints, as JSON: "architecture", "tensors" (name,
/// type, shape, bytes), "types" (count and bytes of each storage type), and
/// "memory" (weights, and KV cache per 1,000 tokens in f16).
nlohmann::json describe(const checkpoint& model, const architecture& arch);

/// The same for people: a few lines and a table.
/// @param description  the result of describe().
std::string show_text(const nlohmann::json& description);

} // namespace sluice
