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

// -- coming and going
// ----------------------------------------------------------------------

scheduled_sequence* lane_schedule::find(std::uint64_t sequence) const {
  const auto found = by_key_.find(sequence);
  return found == by_key_.end() ? nullptr : found->second;
}

void lane_schedule::join(new_sequence sequence) {
  auto s = std::make_unique<scheduled_sequence>(
      std::move(sequence), next_order_++, limits_.context_tokens);
  by_key_[s->key()] = s.get();
  const auto behind =
      std::find_if(running_.begin(), running_.end(), [&](const auto& other) {
        return other->priority() < s->priority();
      });
  running_.insert(behind, std::move(s));
}

bool lane_schedule::may_enter(const scheduled_sequence& s) const {
  if (s.place() != sequence_place::coming)
    return false;
  const auto* parent = find(s.parent());
  return !parent || parent->prompt_done();
}

std::vector<entry_wish> lane_schedule::wishes() {
  std::vector<entry_wish> all;
  for (const auto& s : running_)
    if (may_enter(*s)) {
      all.push_back({s->key(), s->most_cached(), s->parent()});
      s->ask();
    }
  return all;
}

void lane_schedule::enter(std::uint64_t sequence, std::uint32_t computed) {
  if (auto* s = find(sequence))
    s->enter(computed);
}

void lane_schedule::end(std::uint64_t sequence) {
  if (by_key_.erase(sequence) == 0)
    return;
  std::erase_if(running_,
                [sequence](const auto& s) { return s->key() == sequence; });
}

std::vector<std::uint64_t> lane_schedule::keys() const {
  std::vector<std::uint64_t> all;
  for (const auto& s : running_)
    all.push_back(s->key());
  return all;
}

// -- giving way
// ----------------------------------------------------------------------

std::uint32_t lane_schedule::pages_for(std::uint32_t tokens) const {
  return (tokens + limits_.page_tokens - 1) / limits_.page_tokens;
}

std::vector<page_holder> lane_schedule::holders() const {
  std::vector<page_holder> all;
  for (const auto& s : running_)
    if (s->is_inside())
      all.push_back({.sequence = s->key(),
                     .priority = s->priority(),
                     .admitted = s->order(),
                     .pages = pages_for(s->planned()),
                     .context_tokens = s->planned(),
                     .progress = s->progress()});
  return all;
}

std::vector<page_seeker> lane_schedule::seekers() const {
  std::vector<page_seeker> all;
  for (const auto& s : running_)
    if (s->is_outside() && !s->is_named())
      all.push_back({.sequence = s->key(),
                     .priority = s->priority(),
                     .admitted = s->order(),
                     .pages = pages_for(std::max<std::uint32_t>(
                         s->planned() + 1,
                         static_cast<std::uint32_t>(s->tokens().size())))});
  return all;
}

void lane_schedule::give_way(std::uint64_t sequence, enum give_way how) {
  if (auto* s = find(sequence))
    s->leave(how == give_way::swap ? sequence_place::swapped
                                   : sequence_place::dropped);
}

void lane_schedule::ask_again(std::uint64_t sequence) {
  if (auto* s = find(sequence))
    s->leave(sequence_place::coming);
}

void lane_schedule::come_back(std::uint64_t sequence) {
  if (auto* s = find(sequence))
    s->come_back();
}

bool lane_schedule::is_swapped(std::uint64_t sequence) const {
  const auto* s = find(sequence);
  return s && s->place() == sequence_place::swapped;
}

std::uint32_t lane_schedule::outside() const {
  return static_cast<std::uint32_t>(
      std::count_if(running_.begin(), running_.end(),
                    [](const auto& s) { return s->is_outside(); }));
}

// -- plans
// ----------------------------------------------------------------------

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
