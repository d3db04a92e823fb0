// SPDX-License-Identifier: Apache-2.0
// The plans of a lane_schedule: from a draft to its result.
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

void lane_schedule::add_decodes(step_draft& draft, std::uint32_t most) const {
  std::vector<const scheduled_sequence*> ready;
  for (const auto& s : running_)
    if (s->decodes())
      ready.push_back(s.get());
  if (ready.size() > most) { // the next ones go first
    const auto first = draft.number * most % ready.size();
    std::rotate(ready.begin(),
                ready.begin() + static_cast<std::ptrdiff_t>(first),
                ready.end());
    ready.resize(most);
  }
  for (const auto* s : ready)
    draft.rows.push_back(s->decode_row());
}

void lane_schedule::add_prompts(step_draft& draft) {
  std::vector<const scheduled_sequence*> ready;
  std::vector<open_prompt> prompts;
  for (const auto& s : running_)
    if (s->in_prompt()) {
      ready.push_back(s.get());
      prompts.push_back({s->planned(), s->remaining()});
    }
  const auto lengths = planner_.share(shape_of(draft), prompts, costs_);
  for (std::size_t i = 0; i < ready.size(); ++i)
    if (lengths[i] > 0)
      draft.rows.push_back(ready[i]->prompt_row(lengths[i]));
}

std::optional<step_draft> lane_schedule::draft(bool even_empty) {
  if (!has_room())
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
  add_prompts(draft);
  if (draft.rows.empty() && !even_empty)
    return std::nullopt;
  return draft;
}

bool lane_schedule::confirm(step_draft& draft,
                            std::span<const std::uint64_t> waiting,
                            bool even_empty) {
  std::erase_if(draft.rows, [&](const planned_row& row) {
    // A sequence may also have ended while its pages were asked for.
    return !by_key_.contains(row.sequence) ||
           std::find(waiting.begin(), waiting.end(), row.sequence) !=
               waiting.end();
  });
  next_plan_ = draft.number + 1;
  if (draft.rows.empty() && !even_empty)
    return false;
  plan_record plan{.number = draft.number, .shape = shape_of(draft)};
  plan.predicted = costs_.predict(plan.shape);
  for (const auto& row : draft.rows) {
    const auto index = static_cast<std::uint32_t>(plan.rows.size());
    plan.rows.push_back(live_row_of(row, index));
    by_key_.at(row.sequence)->plan(row, {draft.number, index});
  }
  plans_.push_back(std::move(plan));
  return true;
}

std::optional<step_timing> lane_schedule::measured(std::uint64_t plan,
                                                   instant took) {
  if (plans_.empty() || plans_.front().number != plan || took <= instant{0})
    return std::nullopt;
  const auto& record = plans_.front();
  if (record.rows.empty())
    return std::nullopt;
  costs_.observe(record.shape, took);
  return step_timing{record.shape, record.predicted, took};
}

live_row lane_schedule::live_row_of(const planned_row& row,
                                    std::uint32_t index) const {
  const auto& s = *by_key_.at(row.sequence);
  return {.row = index,
          .sequence = row.sequence,
          .sampled = row.sampled,
          .end = row.end(),
          .scores = static_cast<std::uint32_t>(row.next_tokens.size()),
          .completes = s.completes(row.end())};
}

std::vector<live_row> lane_schedule::result(std::uint64_t plan) {
  if (plans_.empty() || plans_.front().number != plan)
    return {};
  auto rows = std::move(plans_.front().rows);
  plans_.pop_front();
  std::erase_if(rows, [this](const live_row& row) {
    return !by_key_.contains(row.sequence);
  });
  for (const auto& row : rows)
    by_key_.at(row.sequence)->done(row.end, row.scores);
  return rows;
}

bool lane_schedule::append(std::uint64_t sequence, std::uint32_t token) {
  return by_key_.at(sequence)->append(token);
}

const std::vector<std::uint32_t>&
lane_schedule::tokens(std::uint64_t sequence) const {
  return by_key_.at(sequence)->tokens();
}

} // namespace sluice::policy
