// SPDX-License-Identifier: Apache-2.0
#include "model/lane.hpp"

#include "kernels/check.hpp"
#include "kernels/select.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace sluice {

namespace {

constexpr std::size_t remembered_plans = 64;

kv_shape shape_of(const architecture& arch, const lane_options& options) {
  return {.layers = arch.layers,
          .kv_heads = arch.kv_heads,
          .head_dim = arch.head_dim,
          .pages = options.kv_pages,
          .page_tokens = options.page_tokens,
          .type = options.kv_type};
}

batch_limits limits_of(const architecture& arch, const lane_options& options) {
  return {.step_tokens = options.max_step_tokens,
          .context = arch.context,
          .vocab = arch.vocab,
          .pool_pages = options.kv_pages};
}

/// FlatBuffers leaves empty vectors out.
template <class T, class Function>
void each(const flatbuffers::Vector<T>* list, Function function) {
  if (list)
    for (auto item : *list)
      function(item);
}

} // namespace

lane::lane(std::shared_ptr<const loaded_model> model,
           const lane_options& options, const op_table& ops)
    : options_{options}, transformer_{std::move(model), ops},
      cache_{shape_of(arch(), options)}, scratch_{transformer_.model(),
                                                  options.max_step_tokens},
      batch_{limits_of(arch(), options)}, sampler_{ops, arch().vocab},
      isa_{name(ops.isa)} {}

messages::StepResultT lane::step(const messages::StepPlan& plan,
                                 thread_pool& pool,
                                 const logits_observer& observer) {
  messages::StepResultT result;
  result.lane = plan.lane();
  result.number = plan.number();
  update_sequences(plan);
  batch_.clear();
  each(plan.rows(), [&](const messages::PlanRow* row) {
    result.rows.push_back(std::make_unique<messages::RowResultT>());
    add_row(*row, result);
  });
  run_batch(result, pool, observer);
  remember(result);
  return result;
}

void lane::run_batch(messages::StepResultT& result, thread_pool& pool,
                     const logits_observer& observer) {
  if (batch_.rows().empty())
    return;
  try {
    transformer_.forward(batch_.positions(), cache_, scratch_, pool);
    sampler_.run({transformer_, scratch_, batch_, pool, observer}, result.rows);
  } catch (...) {
    batch_.take_back();
    throw;
  }
}

void lane::attach(const messages::Attach& state) {
  sequences_.clear();
  recent_.clear();
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
                                       .vocab = arch().vocab}});
}

void lane::add_row(const messages::PlanRow& row,
                   messages::StepResultT& result) {
  using messages::ErrorCode;
  auto& answer = *result.rows.back();
  try {
    const auto found = sequences_.find(row.sequence());
    if (found == sequences_.end())
      throw row_error{ErrorCode::internal,
                      "sequence " + std::to_string(row.sequence()) +
                          " is not in the lane; let it join first"};
    batch_.add(found->second,
               {.plan_row = static_cast<std::uint32_t>(result.rows.size() - 1),
                .start = row.start(),
                .tokens = row_tokens(row),
                .sample_from = row.sample_from()});
  } catch (const row_error& error) {
    answer.code = error.code();
    answer.text = error.what();
  }
}

std::vector<std::int32_t> lane::row_tokens(const messages::PlanRow& row) const {
  if (row.tokens() && row.tokens()->size() > 0)
    return {row.tokens()->begin(), row.tokens()->end()};
  const auto plan =
      std::find_if(recent_.rbegin(), recent_.rend(),
                   [&](const auto& p) { return p.number == row.from_plan(); });
  if (plan == recent_.rend() || row.from_row() >= plan->last.size() ||
      !plan->last[row.from_row()])
    throw row_error{messages::ErrorCode::internal,
                    "sequence " + std::to_string(row.sequence()) + ": row " +
                        std::to_string(row.from_row()) + " of plan " +
                        std::to_string(row.from_plan()) +
                        " sampled no token; give the token itself"};
  return {static_cast<std::int32_t>(*plan->last[row.from_row()])};
}

void lane::remember(const messages::StepResultT& result) {
  sampled_plan plan{result.number, {}};
  for (const auto& row : result.rows)
    plan.last.push_back(
        row->tokens.empty() ? std::nullopt : std::optional{row->tokens.back()});
  recent_.push_back(std::move(plan));
  if (recent_.size() > remembered_plans)
    recent_.pop_front();
}

lane_facts lane::facts() const {
  return {.model = transformer_.model().name,
          .context = arch().context,
          .vocab = arch().vocab,
          .page_tokens = options_.page_tokens,
          .kv_pages = options_.kv_pages,
          .max_step_tokens = options_.max_step_tokens,
          .kv_bytes = cache_.bytes(),
          .weight_bytes = transformer_.model().tensors.memory.bytes(),
          .isa = isa_};
}

} // namespace sluice
