// SPDX-License-Identifier: Apache-2.0
#include "model/lane.hpp"

#include "messages/each.hpp"

#include <algorithm>
#include <chrono>
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

} // namespace

lane::lane(std::shared_ptr<const loaded_model> model,
           const lane_options& options, compute_device& device)
    : options_{options}, model_{std::move(model)}, device_{device.make_lane(
                                                       model_, options)},
      batch_{limits_of(arch(), options)}, device_name_{device.name()} {
  for (auto& plan : recent_)
    plan.last.reserve(options.max_step_tokens);
}

void lane::step(const messages::StepPlan& plan, const logits_observer& observer,
                step_answer& answer) {
  update_sequences(plan);
  move_pages(plan, answer);
  batch_.clear();
  std::uint32_t index = 0;
  each(plan.rows(), [&](const messages::PlanRow* row) {
    add_row(*row, index++, answer.add_row());
  });
  run_batch(observer, answer);
  remember(answer);
}

void lane::move_pages(const messages::StepPlan& plan, step_answer& answer) {
  if (!plan.swaps_out() && !plan.swaps_in() && !plan.copies())
    return;
  const auto begin = std::chrono::steady_clock::now();
  device_->move_pages(plan);
  answer.times().moves += std::chrono::steady_clock::now() - begin;
}

void lane::run_batch(const logits_observer& observer, step_answer& answer) {
  if (batch_.rows().empty())
    return;
  try {
    device_->run(batch_, observer, answer);
  } catch (...) {
    batch_.take_back();
    throw;
  }
}

void lane::attach(const messages::Attach& state) {
  sequences_.clear();
  for (auto& plan : recent_)
    plan.number = 0;
  each(state.sequences(),
       [this](const messages::SequenceState* s) { join(*s); });
}

void lane::update_sequences(const messages::StepPlan& plan) {
  each(plan.left(), [this](std::uint64_t key) { sequences_.erase(key); });
  each(plan.joined(), [this](const messages::SequenceState* s) { join(*s); });
  each(plan.pages(), [this](const messages::PageDelta* delta) {
    const auto found = sequences_.find(delta->sequence());
    if (found != sequences_.end())
      found->second.apply(*delta);
  });
}

void lane::join(const messages::SequenceState& state) {
  sequences_.insert_or_assign(
      state.sequence(), lane_sequence{state,
                                      {.page_tokens = options_.page_tokens,
                                       .pool_pages = options_.kv_pages,
                                       .vocab = arch().vocab,
                                       .context = arch().context}});
}

void lane::add_row(const messages::PlanRow& row, std::uint32_t index,
                   row_answer& answer) {
  using messages::ErrorCode;
  try {
    const auto found = sequences_.find(row.sequence());
    if (found == sequences_.end())
      throw row_error{ErrorCode::internal,
                      "sequence " + std::to_string(row.sequence()) +
                          " is not in the lane; let it join first"};
    batch_.add(found->second, {.plan_row = index,
                               .start = row.start(),
                               .tokens = row_tokens(row),
                               .sample_from = row.sample_from(),
                               .score_from = row.score_from(),
                               .next_tokens = view(row.next_tokens())});
  } catch (const row_error& error) {
    answer.fail(error.code(), error.what());
  }
}

std::span<const std::int32_t>
lane::row_tokens(const messages::PlanRow& row) const {
  if (row.tokens() && row.tokens()->size() > 0)
    return view(row.tokens());
  const auto from = row.from_row();
  const auto plan =
      std::find_if(recent_.begin(), recent_.end(), [&](const auto& p) {
        return p.number > 0 && p.number == row.from_plan();
      });
  if (plan == recent_.end() || from >= plan->last.size() ||
      plan->last[from] == no_token)
    throw row_error{messages::ErrorCode::internal,
                    "sequence " + std::to_string(row.sequence()) + ": row " +
                        std::to_string(from) + " of plan " +
                        std::to_string(row.from_plan()) +
                        " sampled no token; give the token itself"};
  return {&plan->last[from], 1};
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
