// SPDX-License-Identifier: Apache-2.0
#include "model/lane.hpp"

#include "kernels/check.hpp"
#include "messages/each.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace sluice {

namespace {

batch_limits limits_of(const architecture& arch, const lane_options& options) {
  return {.step_tokens = options.max_step_tokens,
          .context = arch.context,
          .vocab = arch.vocab,
          .pool_pages = options.kv_pages};
}

using messages::each;

std::span<const std::int32_t>
view(const flatbuffers::Vector<std::uint32_t>* tokens) {
  if (!tokens)
    return {};
  return {reinterpret_cast<const std::int32_t*>(tokens->data()),
          tokens->size()};
}

std::string no_token_text(std::uint64_t sequence, std::uint64_t plan,
                          std::uint32_t row) {
  return "sequence " + std::to_string(sequence) + ": row " +
         std::to_string(row) + " of plan " + std::to_string(plan) +
         " sampled no token; give the token itself";
}

} // namespace

lane::lane(std::shared_ptr<const loaded_model> model,
           const lane_options& options, compute_device& device,
           const progress_fn& progress)
    : options_{options}, model_{std::move(model)}, device_{device.make_lane(
                                                       model_, options,
                                                       progress)},
      flights_{flight{limits_of(arch(), options)},
               flight{limits_of(arch(), options)}},
      device_name_{device.name()} {
  for (auto& plan : recent_)
    plan.last.reserve(options.max_step_tokens);
}

// -- start
// -------------------------------------------------------------------------

const step_end* lane::start(const messages::StepPlan& plan,
                            const logits_observer& observer,
                            step_answer& answer) {
  require(started_ < flights_.size(),
          "lane: too many steps are under way; finish the oldest first");
  update_sequences(plan);
  auto& step = flights_[(oldest_ + started_) % flights_.size()];
  step.answer = &answer;
  step.number = plan.number();
  step.settled = false;
  step.borrowers.clear();
  step.stranded.clear();
  step.batch.clear();
  std::uint32_t index = 0;
  each(plan.rows(), [&](const messages::PlanRow* row) {
    answer.add_row();
    add_row(step, *row, index++);
  });
  start(step, plan, observer);
  ++started_;
  if (!step.end)
    settle(step);
  return step.end;
}

void lane::start(flight& step, const messages::StepPlan& plan,
                 const logits_observer& observer) {
  try {
    step.end = device_->start(
        plan, observer,
        {.batch = step.batch, .answer = *step.answer, .place = place_of(step)});
  } catch (...) {
    step.batch.take_back();
    throw;
  }
}

void lane::attach(const messages::Attach& state) {
  require(started_ == 0, "lane: steps are under way; finish them first");
  sequences_.clear();
  for (auto& plan : recent_)
    plan.number = 0;
  each(state.sequences(),
       [this](const messages::SequenceState* s) { join(*s); });
}

void lane::update_sequences(const messages::StepPlan& plan) {
  each(plan.left(), [this](std::uint64_t key) { forget(key); });
  each(plan.joined(), [this](const messages::SequenceState* s) { join(*s); });
  each(plan.pages(), [this](const messages::PageDelta* delta) {
    const auto found = sequences_.find(delta->sequence());
    if (found != sequences_.end())
      found->second.apply(*delta);
  });
}

// A step under way names it until it is finished.
void lane::forget(std::uint64_t key) {
  auto node = sequences_.extract(key);
  if (node && started_ > 0)
    newest().departed.push_back(std::move(node));
}

void lane::join(const messages::SequenceState& state) {
  forget(state.sequence());
  sequences_.try_emplace(state.sequence(), state,
                         sequence_limits{.page_tokens = options_.page_tokens,
                                         .pool_pages = options_.kv_pages,
                                         .vocab = arch().vocab,
                                         .context = arch().context});
}

void lane::add_row(flight& step, const messages::PlanRow& row,
                   std::uint32_t index) {
  using messages::ErrorCode;
  try {
    const auto found = sequences_.find(row.sequence());
    if (found == sequences_.end())
      throw row_error{ErrorCode::internal,
                      "sequence " + std::to_string(row.sequence()) +
                          " is not in the lane; let it join first"};
    row_request request{.plan_row = index,
                        .start = row.start(),
                        .tokens = view(row.tokens()),
                        .sample_from = row.sample_from(),
                        .score_from = row.score_from(),
                        .next_tokens = view(row.next_tokens())};
    if (request.tokens.empty())
      find_token(row, request);
    step.batch.add(found->second, request);
    if (request.taken_from)
      step.borrowers.push_back({index, row.from_plan(), row.from_row()});
  } catch (const row_error& error) {
    step.answer->row(index).fail(error.code(), error.what());
  }
}

void lane::find_token(const messages::PlanRow& row, row_request& request) {
  const auto* source = under_way(row.from_plan());
  const auto* giver = source ? source->batch.find(row.from_row()) : nullptr;
  if (giver && giver->samples > 0 && !is_lost(*source, row.from_row())) {
    request.tokens = {&unknown_token, 1};
    request.taken_from = giver->last_sampled();
    return;
  }
  const auto* token = sampled_token(row.from_plan(), row.from_row());
  if (!token)
    throw row_error{
        messages::ErrorCode::internal,
        no_token_text(row.sequence(), row.from_plan(), row.from_row())};
  request.tokens = {token, 1};
}

// Whether a row of a step under way is known to give nothing.
bool lane::is_lost(const flight& step, std::uint32_t row) const {
  const auto taken =
      std::ranges::lower_bound(step.borrowers, row, {}, &borrower::row);
  if (taken != step.borrowers.end() && taken->row == row &&
      !sampled_token(taken->from_plan, taken->from_row))
    return true;
  return std::ranges::find(step.stranded, row, &stranded_row::row) !=
         step.stranded.end();
}

lane::flight* lane::under_way(std::uint64_t plan) {
  if (started_ == 0 || newest().settled || newest().number != plan)
    return nullptr;
  return &newest();
}

const std::int32_t* lane::sampled_token(std::uint64_t plan,
                                        std::uint32_t row) const {
  const auto found =
      std::find_if(recent_.begin(), recent_.end(), [&](const auto& p) {
        return p.number > 0 && p.number == plan;
      });
  if (found == recent_.end() || row >= found->last.size() ||
      found->last[row] == no_token)
    return nullptr;
  return &found->last[row];
}

// -- finish
// -------------------------------------------------------------------------

void lane::finish() {
  require(started_ > 0, "lane: no step is under way; start one first");
  auto& step = flights_[oldest_];
  settle(step);
  --started_;
  oldest_ = started_ == 0 ? 0 : (oldest_ + 1) % flights_.size();
  step.departed.clear();
  const auto failure = std::exchange(step.failure, nullptr);
  if (failure)
    std::rethrow_exception(failure);
}

void lane::settle(flight& step) {
  if (std::exchange(step.settled, true))
    return;
  try {
    device_->finish(
        {.batch = step.batch, .answer = *step.answer, .place = place_of(step)});
  } catch (...) {
    if (!step.failure)
      step.failure = std::current_exception();
  }
  if (step.failure) {
    step.batch.take_back();
    newest().failure = step.failure; // if it was started upon this one
    return;
  }
  fail_stranded(step);
  fail_orphans(step);
  remember(*step.answer);
  tell_borrowers(step);
}

// Rows that were to go on with a token which there is not, as is known now.
void lane::fail_orphans(flight& step) {
  for (const auto& each : step.borrowers) {
    if (sampled_token(each.from_plan, each.from_row))
      continue;
    const auto& row = *step.batch.find(each.row);
    step.answer->row(each.row).fail(
        messages::ErrorCode::internal,
        no_token_text(row.sequence->key(), each.from_plan, each.from_row));
    take_back(step, row);
  }
}

// With it goes what a step that was started meanwhile has put behind it, unless
// that has put other tokens in its place.
void lane::take_back(flight& step, const batch_row& row) {
  auto& later = newest();
  for (const auto& other : later.batch.rows()) {
    if (&step == &later || other.sequence != row.sequence)
      continue;
    if (other.start <= row.start)
      return;
    later.stranded.push_back(
        {other.plan_row,
         gap_text(row.sequence->key(), other.start, row.start)});
  }
  step.batch.take_back(row.plan_row);
}

void lane::fail_stranded(flight& step) {
  for (const auto& each : step.stranded)
    step.answer->row(each.row).fail(messages::ErrorCode::internal, each.text);
}

void lane::remember(const step_answer& answer) {
  auto& plan = recent_[next_recent_];
  next_recent_ = (next_recent_ + 1) % recent_.size();
  plan.number = answer.number();
  plan.last.clear();
  for (const auto& row : answer.rows())
    plan.last.push_back(row.tokens.empty()
                            ? no_token
                            : static_cast<std::int32_t>(row.tokens.back()));
}

// The sequences of a step that was started meanwhile learn their tokens.
void lane::tell_borrowers(const flight& giver) {
  for (const auto& each : newest().borrowers) {
    if (each.from_plan != giver.number)
      continue;
    const auto* token = sampled_token(each.from_plan, each.from_row);
    const auto& row = *newest().batch.find(each.row);
    if (token)
      row.sequence->learn(row.start, *token);
  }
}

lane_facts lane::facts() const {
  const auto bytes = device_->bytes();
  return {.model = model_->name,
          .context = arch().context,
          .vocab = arch().vocab,
          .page_tokens = options_.page_tokens,
          .kv_pages = options_.kv_pages,
          .max_step_tokens = options_.max_step_tokens,
          .kv_bytes = bytes.kv,
          .page_bytes = bytes.page,
          .host_slots = options_.host_slots,
          .weight_bytes = bytes.weights,
          .isa = device_name_};
}

} // namespace sluice
