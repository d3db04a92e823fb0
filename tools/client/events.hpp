// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <stdexcept>
#include <string>
#include <variant>

#include "messages/error_code.hpp"
#include "messages/request_id.hpp"
#include "tools/client/stream_assembler.hpp"

namespace sluice::client {

/// The daemon took the request.
struct accepted {
  bool attached = false; // it knew the id: the stream goes on where it was
};

/// The stream ended as it should (or was cancelled); the last event.
struct finished {
  messages::FinishReason reason = messages::FinishReason::none;
  messages::ReceiptT receipt;
};

/// The request was refused, failed or was lost; the last event.
struct failure {
  messages::ErrorCode code = messages::ErrorCode::internal;
  std::string text; // names the remedy
  std::chrono::milliseconds retry_after{0};
};

/// What happened to one request; a chunk_frame holds a Delta, a Retract or a
/// SequenceEnd, in order and each once.
struct event {
  messages::request_id id;
  std::variant<accepted, chunk_frame, finished, failure> what;
};

/// Base of what the client throws; what() is one line with the remedy.
class client_error : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Nobody answers at the endpoint, or no longer.
class no_daemon : public client_error {
  using client_error::client_error;
};

/// The daemon did not answer a question in time.
class timeout_error : public client_error {
  using client_error::client_error;
};

/// The daemon does not take what the client says, or the other way round.
class protocol_error : public client_error {
  using client_error::client_error;
};

/// A request that the client itself can tell is bad.
class bad_request : public client_error {
  using client_error::client_error;
};

} // namespace sluice::client
