// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/json_output.hpp"

namespace sluice::cli {
namespace {

json logprob_json(const messages::TokenLogprobT& entry) {
  json out{{"token", entry.token},
           {"logprob", entry.logprob},
           {"raw_logprob", entry.raw_logprob}};
  for (const auto& top : entry.top)
    out["top"].push_back({{"token", top->token}, {"logprob", top->logprob}});
  return out;
}

template <class List>
json list_of(const List& entries) {
  auto out = json::array();
  for (const auto& entry : entries)
    out.push_back(logprob_json(entry));
  return out;
}

json delta_json(const messages::Delta& delta) {
  messages::DeltaT value;
  delta.UnPackTo(&value);
  json out{{"event", "delta"},
           {"sequence", value.sequence},
           {"text", value.text},
           {"tokens", value.tokens}};
  for (const auto& entry : value.logprobs)
    out["logprobs"].push_back(logprob_json(*entry));
  if (value.prompt)
    out["prompt_logprobs"] = to_json(*value.prompt);
  return out;
}

json chunk_json(const messages::Chunk& chunk) {
  if (const auto* delta = chunk.body_as_Delta())
    return delta_json(*delta);
  if (const auto* retract = chunk.body_as_Retract())
    return {{"event", "retract"},
            {"sequence", retract->sequence()},
            {"from_byte", retract->from_byte()},
            {"from_token", retract->from_token()}};
  if (const auto* end = chunk.body_as_SequenceEnd())
    return {{"event", "sequence_end"},
            {"sequence", end->sequence()},
            {"finish_reason", messages::to_string(end->reason())},
            {"stop", end->stop() ? end->stop()->str() : ""},
            {"generated_tokens", end->generated_tokens()},
            {"score", end->score()}};
  return {{"event", "unknown"}};
}

json body_json(const client::accepted& what) {
  return {{"event", "accepted"}, {"attached", what.attached}};
}

json body_json(const client::chunk_frame& what) {
  return chunk_json(*what);
}

json body_json(const client::finished& what) {
  return {{"event", "finished"},
          {"finish_reason", messages::to_string(what.reason)},
          {"usage", to_json(what.receipt)}};
}

json body_json(const client::failure& what) {
  return {{"event", "failed"}, {"error", to_json(what)}};
}

} // namespace

std::string to_line(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

json to_json(const client::failure& failure) {
  json out{{"code", messages::to_string(failure.code)}, {"text", failure.text}};
  if (failure.retry_after.count() > 0)
    out["retry_after_ms"] = failure.retry_after.count();
  return out;
}

json to_json(const messages::TokenScoresT& scores) {
  auto list = json::array();
  for (std::size_t i = 0; i < scores.tokens.size(); ++i) {
    list.push_back({{"token", scores.tokens[i]},
                    {"text", piece_of(scores, i)},
                    {"logprob", scores.logprobs.at(i)},
                    {"rank", scores.ranks.at(i)}});
    for (auto k = i * scores.top_count; k < (i + 1) * scores.top_count; ++k)
      list.back()["top"].push_back({{"token", scores.top_tokens.at(k)},
                                    {"logprob", scores.top_logprobs.at(k)}});
  }
  return list;
}

std::string piece_of(const messages::TokenScoresT& scores, std::size_t index) {
  const auto end = scores.piece_ends.at(index);
  const auto begin = index == 0 ? 0 : scores.piece_ends[index - 1];
  std::string piece;
  for (auto i = begin; i < end; ++i)
    piece += static_cast<char>(scores.pieces.at(i));
  return piece;
}

json to_json(const messages::ReceiptT& receipt) {
  json out{{"prompt_tokens", receipt.prompt_tokens},
           {"cached_tokens", receipt.cached_tokens},
           {"generated_tokens", receipt.generated_tokens},
           {"seed", receipt.seed},
           {"queue_us", receipt.queue_us},
           {"first_token_us", receipt.first_token_us},
           {"total_us", receipt.total_us},
           {"steps", receipt.steps},
           {"preemptions", receipt.preemptions},
           {"page_seconds", receipt.page_seconds},
           {"model", receipt.model}};
  if (receipt.candidates > 0)
    out["candidates"] = receipt.candidates;
  if (receipt.scored_tokens > 0) {
    out["scored_tokens"] = receipt.scored_tokens;
    out["log_likelihood"] = receipt.log_likelihood;
    out["perplexity"] = receipt.perplexity;
    out["likeliest_tokens"] = receipt.likeliest_tokens;
  }
  return out;
}

json to_json(const client::sequence_text& sequence) {
  json out{{"text", sequence.text},
           {"tokens", sequence.tokens},
           {"finish_reason", messages::to_string(sequence.reason)}};
  if (!sequence.stop.empty())
    out["stop"] = sequence.stop;
  if (sequence.score != 0)
    out["score"] = sequence.score;
  if (!sequence.logprobs.empty())
    out["logprobs"] = list_of(sequence.logprobs);
  if (!sequence.prompt.tokens.empty())
    out["prompt_logprobs"] = to_json(sequence.prompt);
  return out;
}

json to_json(const client::event& event) {
  json out{{"id", event.id.hex()}};
  out.update(
      std::visit([](const auto& what) { return body_json(what); }, event.what));
  return out;
}

json to_json(const messages::HealthT& health) {
  return {{"state", to_string(health.state)},
          {"version", health.version},
          {"epoch", health.epoch},
          {"uptime_ms", health.uptime_ms},
          {"last_step_age_ms", health.last_step_age_ms},
          {"last_decision_age_ms", health.last_decision_age_ms},
          {"running", health.running},
          {"waiting", health.waiting},
          {"text", health.text}};
}

json to_json(const messages::ModelsT& models) {
  auto out = json::array();
  for (const auto& model : models.models)
    out.push_back({{"name", model->name},
                   {"family", model->family},
                   {"context_tokens", model->context_tokens},
                   {"vocabulary", model->vocabulary},
                   {"weight_bytes", model->weight_bytes},
                   {"kv_pages", model->kv_pages},
                   {"page_tokens", model->page_tokens}});
  return out;
}

json to_json(const messages::StatsT& stats) {
  auto out = json::array();
  for (const auto& metric : stats.metrics)
    out.push_back({{"name", metric->name},
                   {"labels", metric->labels},
                   {"value", metric->value}});
  return out;
}

std::string_view to_string(messages::HealthState state) {
  switch (state) {
  case messages::HealthState::starting:
    return "starting";
  case messages::HealthState::ready:
    return "ready";
  case messages::HealthState::draining:
    return "draining";
  case messages::HealthState::failing:
    return "failing";
  case messages::HealthState::recovering:
    return "recovering";
  }
  return "unknown";
}

} // namespace sluice::cli
