// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/score_job.hpp"

#include <algorithm>

#include "model/tokenizer/tokenizer.hpp"
#include "tools/cli/retry.hpp"
#include "tools/cli/score_windows.hpp"

namespace sluice::cli {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds patience{100}; // for events, or for input
constexpr milliseconds glance{10};    // for events, when input may come

} // namespace

bool score_job::step() {
  while (in_flight_.size() < settings_.concurrency &&
         rows_.size() < 2 * settings_.concurrency && read_row())
    send_due();
  send_due();
  give_out();
  if (rows_.empty() && input_ended_)
    return false;
  for (const auto& event : client_.poll(input_ended_ ? patience : glance))
    handle(event);
  return true;
}

bool score_job::read_row() {
  if (input_ended_)
    return false;
  text_line line;
  const auto status =
      input_(line, in_flight_.empty() ? patience : milliseconds{0});
  input_ended_ = status == line_reader::status::end;
  if (status != line_reader::status::line)
    return false;
  if (line.text.empty() && !line.too_long)
    return true;
  auto parsed = parse_score_row(line, settings_.fields);
  auto fresh = std::make_unique<row>();
  fresh->result.custom_id = std::move(parsed.custom_id);
  fresh->result.line = line.number;
  if (auto* problem = std::get_if<client::failure>(&parsed.piece))
    fresh->result.error = std::move(*problem);
  else
    for (auto& piece : pieces_of(std::move(std::get<0>(parsed.piece))))
      fresh->parts.push_back({.piece = std::move(piece)});
  if (fresh->parts.empty() && !fresh->result.error)
    fresh->result.error =
        client::failure{messages::ErrorCode::invalid_argument,
                        "the text has one token; at least two are needed"};
  rows_.push_back(std::move(fresh));
  return true;
}

std::vector<score_piece> score_job::pieces_of(score_piece piece) const {
  std::vector<score_piece> pieces;
  if (settings_.stride == 0 || !piece.continuation.empty()) {
    pieces.push_back(std::move(piece));
    return pieces;
  }
  const auto tokens = settings_.text->encode(
      piece.text, {.parse_special = settings_.request.parse_special});
  const auto at = [&](std::size_t i) {
    return tokens.begin() + static_cast<std::ptrdiff_t>(i);
  };
  for (const auto& [begin, end, from] :
       cut_windows(tokens.size(), settings_.window, settings_.stride))
    pieces.push_back({.tokens = {at(begin), at(end)},
                      .score_from = static_cast<std::uint32_t>(from),
                      .begin = begin});
  return pieces;
}

void score_job::send_due() {
  const auto now = std::chrono::steady_clock::now();
  for (const auto& row : rows_)
    for (std::size_t i = 0; i < row->parts.size(); ++i) {
      if (in_flight_.size() >= settings_.concurrency)
        return;
      const auto& part = row->parts[i];
      if (!part.sent && !row->result.error && part.not_before <= now)
        send(*row, i);
    }
}

messages::SubmitT score_job::to_score(const score_piece& piece) const {
  auto submit = to_submit(settings_.request);
  submit.score = true;
  submit.prompt = piece.text;
  submit.continuation = piece.continuation;
  submit.prompt_tokens = piece.tokens;
  submit.score_from = piece.score_from;
  submit.prompt_logprobs = settings_.per_token;
  submit.prompt_top_logprobs = settings_.per_token ? settings_.top : 0;
  return submit;
}

void score_job::send(row& of, std::size_t index) {
  auto& part = of.parts[index];
  try {
    const auto id = client_.submit(to_score(part.piece));
    ++part.tries;
    part.sent = true;
    in_flight_.emplace(id, place{&of, index});
  } catch (const client::bad_request& error) {
    fail(part, of, {messages::ErrorCode::invalid_argument, error.what()});
  }
}

void score_job::handle(const client::event& event) {
  const auto found = in_flight_.find(event.id);
  if (found == in_flight_.end() ||
      std::holds_alternative<client::accepted>(event.what))
    return;
  const auto [of, index] = found->second;
  auto& part = of->parts[index];
  if (const auto* chunk = std::get_if<client::chunk_frame>(&event.what))
    return part.answer.take(**chunk);
  in_flight_.erase(found);
  if (const auto* end = std::get_if<client::finished>(&event.what))
    finish(part, *of, *end);
  else
    fail(part, *of, std::get<client::failure>(event.what));
}

void score_job::finish(part& part, row& of, const client::finished& end) {
  if (end.reason != messages::FinishReason::scored)
    return fail(part, of,
                {messages::ErrorCode::shutdown,
                 "the daemon ended the request; it is tried again"});
  part.sum = {.tokens = end.receipt.scored_tokens,
              .likeliest = end.receipt.likeliest_tokens,
              .log_likelihood = end.receipt.log_likelihood};
  part.prompt_tokens = end.receipt.prompt_tokens;
  part.answered = true;
}

void score_job::fail(part& part, row& of, const client::failure& failure) {
  if (const auto pause = pause_before_retry(failure, part.tries)) {
    part.answer = {};
    part.sent = false;
    part.not_before = std::chrono::steady_clock::now() + *pause;
    return;
  }
  part.sent = part.answered = true;
  if (!of.result.error)
    of.result.error = failure;
}

void score_job::give_out() {
  const auto is_done = [](const row& r) {
    return std::ranges::all_of(r.parts, [&](const part& p) {
      // A text that failed waits for what is in flight, and sends no more.
      return p.answered || (r.result.error && !p.sent);
    });
  };
  while (!rows_.empty() && is_done(*rows_.front())) {
    auto& first = *rows_.front();
    if (!first.result.error)
      sum_up(first);
    ++rows_done_;
    failed_ += first.result.error.has_value();
    total_.add(first.result.sum);
    output_(first.result);
    rows_.pop_front();
  }
}

void score_job::sum_up(row& of) const {
  for (const auto& part : of.parts) {
    of.result.sum.add(part.sum);
    of.result.prompt_tokens += part.prompt_tokens;
    ++of.result.requests;
    const auto sequence = part.answer.sequences().find(0);
    if (sequence == part.answer.sequences().end())
      continue;
    auto scores = sequence->second.prompt;
    scores.first += static_cast<std::uint32_t>(part.piece.begin);
    client::append(of.result.scores, scores);
  }
}

} // namespace sluice::cli
