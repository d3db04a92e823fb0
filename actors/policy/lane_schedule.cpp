// SPDX-License-Identifier: Apache-2.0
#include "actors/policy/lane_schedule.hpp"

#include <algorithm>

namespace sluice::policy {
namespace {

step_shape shape_of(const step_draft& draft) {
  step_shape shape;
  for (const auto& row : draft.rows)
    shape += shape_of_run(row.start, row.length(), row.logits());
  return shape;
}

} // namespace

void lane_schedule::join(std::uint64_t sequence,
                         std::vector<std::uint32_t> prompt,
                         std::uint32_t max_tokens, prompt_scoring scoring) {
  auto s = std::make_unique<running_sequence>();
  s->key = sequence;
  s->given_tokens = static_cast<std::uint32_t>(prompt.size());
  s->prompt_tokens = s->given_tokens - (scoring.only ? 1 : 0);
  s->scoring = scoring;
  const auto room = limits_.context_tokens - s->prompt_tokens;
  s->max_tokens = max_tokens == 0 ? room : std::min(max_tokens, room);
  if (scoring.only)
    s->max_tokens = 0;
  s->tokens = std::move(prompt);
  by_key_[sequence] = s.get();
  running_.push_back(std::move(s));
}

void lane_schedule::end(std::uint64_t sequence) {
  if (by_key_.erase(sequence) == 0)
    return;
  std::erase_if(running_,
                [sequence](const auto& s) { return s->key == sequence; });
}

planned_row lane_schedule::decode_row(const running_sequence& s) const {
  planned_row row{.sequence = s.key, .start = s.planned, .sampled = true};
  if (s.planned < s.tokens.size())
    row.tokens.push_back(s.tokens[s.planned]);
  else
    row.from = s.last_sample;
  return row;
}

planned_row lane_schedule::prompt_row(const running_sequence& s,
                                      std::uint32_t length) const {
  const auto end = s.planned + length;
  planned_row row{.sequence = s.key, .start = s.planned};
  row.tokens.assign(s.tokens.begin() + s.planned, s.tokens.begin() + end);
  row.sampled = end == s.prompt_tokens && !s.scoring.only;
  row.joins = !s.joined;
  add_scores(row, s);
  return row;
}

void lane_schedule::add_scores(planned_row& row, const running_sequence& s) {
  if (s.scoring.from == 0)
    return;
  // A position is scored by the token after it, which may be of a later row.
  const auto begin = std::max(row.start, s.scoring.from - 1);
  const auto end = std::min(row.end(), s.given_tokens - 1);
  if (begin >= end)
    return;
  row.score_from = begin - row.start;
  row.next_tokens.assign(s.tokens.begin() + begin + 1,
                         s.tokens.begin() + end + 1);
}

void lane_schedule::add_decodes(step_draft& draft, std::uint32_t most) const {
  std::vector<const running_sequence*> ready;
  for (const auto& s : running_)
    if (!s->in_prompt() && s->wants_row())
      ready.push_back(s.get());
  if (ready.size() > most) { // the next ones go first
    const auto first = draft.number * most % ready.size();
    std::rotate(ready.begin(),
                ready.begin() + static_cast<std::ptrdiff_t>(first),
                ready.end());
    ready.resize(most);
  }
  for (const auto* s : ready)
    draft.rows.push_back(decode_row(*s));
}

void lane_schedule::add_prompts(step_draft& draft) {
  std::vector<const running_sequence*> ready;
  std::vector<open_prompt> prompts;
  for (const auto& s : running_)
    if (s->in_prompt()) {
      ready.push_back(s.get());
      prompts.push_back({s->planned, s->prompt_tokens - s->planned});
    }
  const auto lengths = planner_.share(shape_of(draft), prompts, costs_);
  for (std::size_t i = 0; i < ready.size(); ++i)
    if (lengths[i] > 0)
      draft.rows.push_back(prompt_row(*ready[i], lengths[i]));
}

std::optional<step_draft> lane_schedule::draft() {
  if (plans_.size() >= limits_.pipeline_depth)
    return std::nullopt;
  step_draft draft{.number = next_plan_};
  // However many decode, prompts keep a little of the step.
  const bool prompts =
      std::any_of(running_.begin(), running_.end(),
                  [](const auto& s) { return s->in_prompt(); });
  const auto kept =
      prompts ? std::min(step_planner::panel_rows, limits_.step_tokens / 2)
              : 0u;
  add_decodes(draft, limits_.step_tokens - kept);
  if (prompts)
    add_prompts(draft);
  if (draft.rows.empty())
    return std::nullopt;
  return draft;
}

void lane_schedule::commit(const planned_row& row, row_reference where) {
  auto& s = *by_key_.at(row.sequence);
  s.planned = row.end();
  s.joined = true;
  if (row.sampled) {
    ++s.samples;
    s.last_sample = where;
  }
}

bool lane_schedule::confirm(step_draft& draft,
                            std::span<const std::uint64_t> waiting) {
  std::erase_if(draft.rows, [&](const planned_row& row) {
    // A sequence may also have ended while its pages were asked for.
    return !by_key_.contains(row.sequence) ||
           std::find(waiting.begin(), waiting.end(), row.sequence) !=
               waiting.end();
  });
  next_plan_ = draft.number + 1;
  if (draft.rows.empty())
    return false;
  plan_record plan{.number = draft.number, .shape = shape_of(draft)};
  plan.predicted = costs_.predict(plan.shape);
  for (const auto& row : draft.rows) {
    const auto index = static_cast<std::uint32_t>(plan.rows.size());
    commit(row, {draft.number, index});
    plan.rows.push_back(live_row_of(row, index));
  }
  plans_.push_back(std::move(plan));
  return true;
}

std::optional<step_timing> lane_schedule::measured(std::uint64_t plan,
                                                   instant took) {
  if (plans_.empty() || plans_.front().number != plan || took <= instant{0})
    return std::nullopt;
  const auto& record = plans_.front();
  costs_.observe(record.shape, took);
  return step_timing{record.shape, record.predicted, took};
}

live_row lane_schedule::live_row_of(const planned_row& row,
                                    std::uint32_t index) const {
  const auto& s = *by_key_.at(row.sequence);
  return {.row = index,
          .sequence = row.sequence,
          .sampled = row.sampled,
          .scores = static_cast<std::uint32_t>(row.next_tokens.size()),
          .completes = s.scoring.only && row.end() == s.prompt_tokens};
}

std::vector<live_row> lane_schedule::result(std::uint64_t plan) {
  if (plans_.empty() || plans_.front().number != plan)
    return {};
  auto rows = std::move(plans_.front().rows);
  plans_.pop_front();
  std::erase_if(rows, [this](const live_row& row) {
    return !by_key_.contains(row.sequence);
  });
  // What is scored is scored, even if its KV must be computed again.
  for (const auto& row : rows)
    by_key_.at(row.sequence)->scoring.from += row.scores;
  return rows;
}

bool lane_schedule::append(std::uint64_t sequence, std::uint32_t token) {
  auto& s = *by_key_.at(sequence);
  s.tokens.push_back(token);
  return s.tokens.size() - s.prompt_tokens >= s.max_tokens;
}

const std::vector<std::uint32_t>&
lane_schedule::tokens(std::uint64_t sequence) const {
  return by_key_.at(sequence)->tokens;
}

} // namespace sluice::policy
