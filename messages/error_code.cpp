// SPDX-License-Identifier: Apache-2.0
#include "messages/error_code.hpp"

#include <array>

namespace sluice::messages {
namespace {

using enum ErrorCode;

constexpr std::array table{
    error_entry{none, "none", "No error.", ""},
    error_entry{malformed_frame, "malformed_frame",
                "The bytes are not a valid frame.",
                "Build frames with the published schemas and this version's "
                "client library."},
    error_entry{unsupported_protocol, "unsupported_protocol",
                "Client and daemon share no protocol version.",
                "Upgrade the older of the two."},
    error_entry{invalid_argument, "invalid_argument",
                "A field of the request is out of range.",
                "Correct the field that the text names."},
    error_entry{unknown_model, "unknown_model",
                "The daemon hosts no model of that name.",
                "Ask for one of the names that `sluice list` prints."},
    error_entry{unknown_request, "unknown_request",
                "No request of that id is known.",
                "Its replay window may have expired; submit it again."},
    error_entry{id_conflict, "id_conflict",
                "The id is in use for another request.",
                "Choose a fresh random id for every new request."},
    error_entry{prompt_too_long, "prompt_too_long",
                "The prompt does not fit in the model's context.",
                "Shorten the prompt or choose a model with a longer context."},
    error_entry{never_fits, "never_fits",
                "The request needs more KV pages than the lane has.",
                "Lower max_tokens or n, or raise memory.kv_bytes."},
    error_entry{queue_full, "queue_full", "Too many requests are waiting.",
                "Try again after retry_after, or raise limits.queue."},
    error_entry{too_many_requests, "too_many_requests",
                "This client has too many open requests.",
                "Wait for some to end, or raise limits.requests_per_client."},
    error_entry{draining, "draining", "The daemon is shutting down.",
                "Submit to another daemon, or after the restart."},
    error_entry{deadline_exceeded, "deadline_exceeded",
                "The request's deadline passed before it ended.",
                "Allow more time, or lower max_tokens."},
    error_entry{queue_timeout, "queue_timeout",
                "The request waited in the queue for too long.",
                "Allow a longer queue_timeout, or submit less at once."},
    error_entry{unsupported_feature, "unsupported_feature",
                "This daemon does not offer the requested feature.",
                "Leave the field that the text names at its default."},
    error_entry{tokenizer_failed, "tokenizer_failed",
                "The prompt could not be turned into tokens.",
                "Check the prompt's encoding and token ids."},
    error_entry{executor_failed, "executor_failed",
                "The device failed while it ran this request.",
                "Submit again; see the daemon's log if it happens twice."},
    error_entry{numeric_failure, "numeric_failure",
                "The model's logits are not finite.",
                "Check the model file; try a wider weight or KV type."},
    error_entry{ledger_discrepancy, "ledger_discrepancy",
                "The account of this request's KV pages does not add up.",
                "Submit again and report the log line that names the pages."},
    error_entry{shutdown, "shutdown", "The daemon stopped before the end.",
                "Submit again after the restart."},
    error_entry{internal, "internal", "An internal check failed.",
                "Report the text together with the daemon's log."},
};

constexpr bool table_is_complete() {
  for (std::size_t i = 0; i < table.size(); ++i)
    if (table[i].code != static_cast<ErrorCode>(i))
      return false;
  return table.size() == static_cast<std::size_t>(ErrorCode::MAX) + 1;
}
static_assert(table_is_complete(), "every ErrorCode has its row, in order");

} // namespace

const error_entry& describe(ErrorCode code) noexcept {
  const auto index = static_cast<std::size_t>(code);
  return index < table.size() ? table[index]
                              : table[static_cast<std::size_t>(internal)];
}

std::string_view to_string(FinishReason reason) noexcept {
  switch (reason) {
  case FinishReason::none:
    return "none";
  case FinishReason::stop_token:
    return "stop_token";
  case FinishReason::stop_string:
    return "stop_string";
  case FinishReason::length:
    return "length";
  case FinishReason::cancelled:
    return "cancelled";
  case FinishReason::disconnected:
    return "disconnected";
  case FinishReason::scored:
    return "scored";
  }
  return "unknown";
}

} // namespace sluice::messages
