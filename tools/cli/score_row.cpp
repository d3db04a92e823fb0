// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/score_row.hpp"

#include <cmath>
#include <cstdio>
#include <limits>

namespace sluice::cli {
namespace {

client::failure invalid(std::string text) {
  return {messages::ErrorCode::invalid_argument, std::move(text)};
}

std::string quoted(const std::string& name) {
  return '"' + name + '"';
}

std::string read_text(const json& row, const std::string& name) {
  if (!row[name].is_string())
    throw client::bad_request{quoted(name) + " must be a string"};
  return row[name].get<std::string>();
}

json read_id(const json& row) {
  if (!row.contains("custom_id"))
    return nullptr;
  const auto& id = row["custom_id"];
  if (!id.is_string() && !id.is_number())
    throw client::bad_request{"\"custom_id\" must be a string or a number"};
  return id;
}

score_piece read_piece(const json& row, const score_fields& fields) {
  const bool split =
      row.contains(fields.prompt) && row.contains(fields.continuation);
  if (row.contains(fields.text) == split)
    throw client::bad_request{"a row needs either " + quoted(fields.text) +
                              " or both " + quoted(fields.prompt) + " and " +
                              quoted(fields.continuation)};
  if (!split)
    return {.text = read_text(row, fields.text)};
  auto prompt = read_text(row, fields.prompt);
  auto continuation = read_text(row, fields.continuation);
  if (continuation.empty())
    throw client::bad_request{quoted(fields.continuation) + " is empty"};
  if (prompt.empty()) // then the whole text is the continuation
    return {.text = std::move(continuation)};
  return {.text = std::move(prompt), .continuation = std::move(continuation)};
}

score_row read_row(const std::string& text, const score_fields& fields) {
  score_row result;
  try {
    const auto row = json::parse(text);
    if (!row.is_object())
      throw client::bad_request{"the line is not a JSON object"};
    result.custom_id = read_id(row);
    result.piece = read_piece(row, fields);
  } catch (const json::exception&) {
    result.piece = invalid("the line begins as JSON and is none; --plain reads "
                           "lines as they are");
  } catch (const client::bad_request& error) {
    result.piece = invalid(error.what());
  }
  return result;
}

template <class... Values>
std::string format(const char* pattern, Values... values) {
  char line[160];
  std::snprintf(line, sizeof line, pattern, values...);
  return line;
}

std::string name_of(const scored_text& row) {
  if (row.custom_id.is_string())
    return row.custom_id.get<std::string>();
  return row.custom_id.is_null() ? "line " + std::to_string(row.line)
                                 : row.custom_id.dump();
}

} // namespace

score_row parse_score_row(const text_line& line, const score_fields& fields) {
  score_row result;
  if (line.too_long)
    result.piece = invalid("the line is longer than --max-line allows");
  else if (!fields.plain && line.text.starts_with('{'))
    result = read_row(line.text, fields);
  else
    result.piece = score_piece{.text = line.text};
  const auto* piece = std::get_if<score_piece>(&result.piece);
  if (piece && piece->text.empty())
    result.piece = invalid("the text is empty; nothing can be scored");
  return result;
}

void score_sum::add(const score_sum& other) {
  tokens += other.tokens;
  likeliest += other.likeliest;
  log_likelihood += other.log_likelihood;
}

double score_sum::perplexity() const {
  return tokens == 0 ? std::numeric_limits<double>::quiet_NaN()
                     : std::exp(-log_likelihood / static_cast<double>(tokens));
}

std::string to_json_line(const scored_text& row, bool per_token) {
  json out{{"custom_id", row.custom_id}, {"line", row.line}};
  if (row.error) {
    for (const auto* name : {"tokens", "log_likelihood", "perplexity"})
      out[name] = nullptr;
    out["error"] = to_json(*row.error);
    return to_line(out);
  }
  out["tokens"] = row.sum.tokens;
  out["log_likelihood"] = row.sum.log_likelihood;
  out["perplexity"] = row.sum.perplexity();
  out["likeliest_tokens"] = row.sum.likeliest;
  out["greedy"] = row.sum.likeliest == row.sum.tokens;
  if (per_token) {
    out["first_token"] = row.scores.first;
    out["per_token"] = to_json(row.scores);
  }
  out["usage"] = {{"prompt_tokens", row.prompt_tokens},
                  {"requests", row.requests}};
  out["error"] = nullptr;
  return to_line(out);
}

std::string to_text(const scored_text& row, bool per_token) {
  std::string out =
      name_of(row) + format(": %llu tokens, log-likelihood %.6f, perplexity "
                            "%.6f\n",
                            static_cast<unsigned long long>(row.sum.tokens),
                            row.sum.log_likelihood, row.sum.perplexity());
  if (!per_token)
    return out;
  for (std::size_t i = 0; i < row.scores.tokens.size(); ++i)
    out += format("%12.6f  rank %-6u ",
                  static_cast<double>(row.scores.logprobs.at(i)),
                  row.scores.ranks.at(i)) +
           to_line(piece_of(row.scores, i)) + "\n";
  return out;
}

} // namespace sluice::cli
