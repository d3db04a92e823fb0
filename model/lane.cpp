// SPDX-License-Identifier: Apache-2.0
#include "model/lane.hpp"

#include "kernels/check.hpp"
#include "kernels/select.hpp"
#include "messages/each.hpp"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

namespace sluice {

namespace {

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
           const lane_options& options, const op_table& ops)
    : options_{options}, transformer_{std::move(model), ops},
      cache_{shape_of(arch(), options)}, mover_{shape_of(arch(), options),
                                                options.host_slots},
      scratch_{transformer_.model(), options.max_step_tokens}, batch_{limits_of(
                                                                   arch(),
                                                                   options)},
      sampler_{ops, arch().vocab}, isa_{name(ops.isa)} {
  for (auto& plan : recent_)
    plan.last.reserve(options.max_step_tokens);
}

void lane::step(const messages::StepPlan& plan, const step_context& context,
                step_answer& answer) {
  update_sequences(plan);
  move_pages(plan, answer);
  batch_.clear();
  std::uint32_t index = 0;
  each(plan.rows(), [&](const messages::PlanRow* row) {
    add_row(*row, index++, answer.add_row());
  });
  run_batch(context, answer);
  remember(answer);
}

void lane::move_pages(const messages::StepPlan& plan, step_answer& answer) {
  if (!plan.swaps_out() && !plan.swaps_in() && !plan.copies())
    return;
  const auto begin = std::chrono::steady_clock::now();
  mover_.carry_out(plan, cache_);
  answer.times().moves += std::chrono::steady_clock::now() - begin;
}

void lane::run_batch(const step_context& context, step_answer& answer) {
  if (batch_.rows().empty())
    return;
  try {
    const auto begin = std::chrono::steady_clock::now();
    transformer_.forward(batch_.positions(), cache_, scratch_, context.pool);
    answer.times().kernels += std::chrono::steady_clock::now() - begin;
    sampler_.run(
        {transformer_, scratch_, batch_, context.pool, context.observer},
        answer);
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
  return {.model = transformer_.model().name,
          .context = arch().context,
          .vocab = arch().vocab,
          .page_tokens = options_.page_tokens,
          .kv_pages = options_.kv_pages,
          .max_step_tokens = options_.max_step_tokens,
          .kv_bytes = cache_.bytes(),
          .page_bytes = kv_page_bytes(cache_.shape()),
          .host_slots = options_.host_slots,
          .weight_bytes = transformer_.model().tensors.memory.bytes(),
          .isa = isa_};
}

} // namespace sluice
