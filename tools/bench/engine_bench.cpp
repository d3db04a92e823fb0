// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/engine_bench.hpp"

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <utility>

namespace sluice::bench {
namespace {

using clock = std::chrono::steady_clock;

constexpr std::uint32_t page_tokens = 16;
constexpr std::uint32_t short_prompt = 16; // before decoding

double seconds_since(clock::time_point began) {
  return std::chrono::duration<double>{clock::now() - began}.count();
}

std::uint64_t key_of(std::uint32_t index) {
  return (index + 1ull) << 8;
}

/// Ids that any vocabulary has and that differ from row to row.
std::vector<std::uint32_t> some_tokens(std::uint32_t count, std::uint32_t vocab,
                                       std::uint32_t salt) {
  std::vector<std::uint32_t> tokens(count);
  for (std::uint32_t i = 0; i < count; ++i)
    tokens[i] = (salt * 7919 + i * 31 + 5) % vocab;
  return tokens;
}

std::unique_ptr<messages::PlanRowT> next_token(std::uint32_t index,
                                               std::uint32_t position,
                                               std::uint64_t last_plan) {
  auto row = std::make_unique<messages::PlanRowT>();
  row->sequence = key_of(index);
  row->start = position;
  row->from_plan = last_plan;
  row->from_row = index;
  return row;
}

} // namespace

engine_bench::engine_bench(const plan& what, const progress_fn& progress)
    : what_{what} {
  const auto cores = std::max(1u, std::thread::hardware_concurrency());
  threads_ = what.threads == 0 ? cores : what.threads;
  engine_ = std::make_unique<engine>(
      engine_options{static_cast<int>(threads_), {}, false});
  load_options loading;
  loading.packing = &engine_->packing();
  loading.progress = progress;
  const auto model = load_model(what.model, loading);
  const auto longest =
      *std::max_element(what.prompts.begin(), what.prompts.end());
  const auto widest =
      *std::max_element(what.batches.begin(), what.batches.end());
  decode_tokens_ = std::min(short_prompt + what.steps + 1, model->arch.context);
  lane_options lane;
  lane.page_tokens = page_tokens;
  lane.kv_pages =
      std::max(pages_of(longest), widest * pages_of(decode_tokens_));
  lane.max_step_tokens = std::max(longest, widest * short_prompt);
  lane_ = engine_->add_lane(model, lane);
}

machine engine_bench::facts() const {
  const auto facts = engine_->facts(lane_);
  return {facts.model, facts.isa, threads_, facts.weight_bytes};
}

prompt_speed engine_bench::prompt(std::uint32_t tokens) {
  tokens = std::min(tokens, engine_->facts(lane_).context);
  messages::StepPlanT plan;
  add_sequence(plan, 0, tokens);
  const auto began = clock::now();
  run(std::move(plan));
  const auto seconds = seconds_since(began);
  forget(1);
  return {tokens, seconds, tokens / seconds};
}

decode_speed engine_bench::decode(std::uint32_t batch) {
  messages::StepPlanT joining;
  for (std::uint32_t i = 0; i < batch; ++i)
    add_sequence(joining, i, short_prompt);
  run(std::move(joining));
  const auto most = decode_tokens_ - short_prompt - 1;
  const auto began = clock::now();
  std::uint32_t steps = 0;
  while (steps < most && (steps < 2 || seconds_since(began) < what_.seconds)) {
    messages::StepPlanT plan;
    for (std::uint32_t i = 0; i < batch; ++i)
      plan.rows.push_back(next_token(i, short_prompt + steps, next_plan_ - 1));
    run(std::move(plan));
    ++steps;
  }
  const auto seconds = seconds_since(began);
  forget(batch);
  return {batch, steps, seconds, batch * steps / seconds};
}

/// Joins a sequence with all the pages it will need, and gives its prompt.
void engine_bench::add_sequence(messages::StepPlanT& plan, std::uint32_t index,
                                std::uint32_t tokens) {
  auto state = std::make_unique<messages::SequenceStateT>();
  state->sequence = key_of(index);
  state->seed = index;
  state->sampling = std::make_unique<messages::SamplingT>();
  state->tokens = some_tokens(tokens, engine_->facts(lane_).vocab, index);
  state->prompt_tokens = tokens;
  const auto pages = pages_of(std::max(tokens, decode_tokens_));
  for (std::uint32_t i = 0; i < pages; ++i)
    state->pages.push_back(index * pages + i);
  auto row = std::make_unique<messages::PlanRowT>();
  row->sequence = state->sequence;
  row->tokens = state->tokens;
  row->sample_from = tokens - 1;
  plan.joined.push_back(std::move(state));
  plan.rows.push_back(std::move(row));
}

void engine_bench::run(messages::StepPlanT plan) {
  plan.lane = lane_;
  plan.number = next_plan_++;
  plan.left = std::exchange(left_, {});
  const auto result = engine_->step(*messages::pack<messages::StepPlan>(plan));
  if (result->code() != messages::ErrorCode::none)
    throw std::runtime_error{"the step failed: " + result->text()->str()};
  for (const auto* row : *result->rows())
    if (row->code() != messages::ErrorCode::none)
      throw std::runtime_error{"a row failed: " + row->text()->str()};
}

void engine_bench::forget(std::uint32_t count) {
  for (std::uint32_t i = 0; i < count; ++i)
    left_.push_back(key_of(i));
}

std::uint32_t engine_bench::pages_of(std::uint32_t tokens) {
  return (tokens + page_tokens - 1) / page_tokens;
}

} // namespace sluice::bench
