// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "tools/cli/json_output.hpp"
#include "tools/cli/line_reader.hpp"

namespace sluice::cli {

/// How rows of the input name what is scored.
struct score_fields {
  std::string text = "text";
  std::string prompt = "prompt";
  std::string continuation = "continuation";
  bool plain = false; // no JSON: each line is a text
};

/// What one request scores: a text or its tokens, all of it or its end.
struct score_piece {
  std::string text;                  // or the prompt of a continuation
  std::string continuation;          // if set, only its tokens count
  std::vector<std::uint32_t> tokens; // instead of text
  std::uint32_t score_from = 0;      // first token that counts
  std::size_t begin = 0;             // place of tokens[0] in the whole text
};

/// A row of the input: who it is, and what is scored or what is wrong.
struct score_row {
  json custom_id; // a string, a number, or null
  std::variant<score_piece, client::failure> piece;
};

/// Reads {"custom_id", "text"} or {"custom_id", "prompt", "continuation"}; a
/// line that does not begin with { is a text itself. Other keys are the user's.
score_row parse_score_row(const text_line& line, const score_fields& fields);

/// Log-likelihood of some tokens.
struct score_sum {
  std::uint64_t tokens = 0;
  std::uint64_t likeliest = 0; // of them, of rank 1
  double log_likelihood = 0;

  void add(const score_sum& other);
  double perplexity() const; // exp(-log_likelihood / tokens); NaN of nothing
};

/// What one row came to.
struct scored_text {
  json custom_id;
  std::uint64_t line = 0;
  score_sum sum;
  std::uint64_t prompt_tokens = 0; // computed, of all windows
  std::uint64_t requests = 0;
  messages::TokenScoresT scores; // if asked for each token
  std::optional<client::failure> error;
};

/// One line of JSON, or several lines to read.
std::string to_json_line(const scored_text& row, bool per_token);
std::string to_text(const scored_text& row, bool per_token);

} // namespace sluice::cli
