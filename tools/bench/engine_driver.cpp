// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/engine_driver.hpp"

#include "kernels/check.hpp"
#include "model/bare_model.hpp"

#include <algorithm>
#include <stdexcept>
#include <thread>
#include <utility>

namespace sluice::bench {
namespace {

constexpr std::uint32_t page_tokens = 16;

std::uint64_t key_of(std::uint32_t index) {
  return (index + 1ull) << 8;
}

std::uint32_t pages_of(std::uint32_t tokens) {
  return (tokens + page_tokens - 1) / page_tokens;
}

/// Ids that any vocabulary has and that differ from row to row.
std::vector<std::uint32_t> some_tokens(std::uint32_t count, std::uint32_t vocab,
                                       std::uint32_t salt) {
  std::vector<std::uint32_t> tokens(count);
  for (std::uint32_t i = 0; i < count; ++i)
    tokens[i] = (salt * 7919 + i * 31 + 5) % vocab;
  return tokens;
}

std::unique_ptr<compute_device> device_of(const driver_options& options) {
  const auto threads = static_cast<int>(options.threads);
  if (!options.gpu)
    return std::make_unique<cpu_device>(
        engine_options{threads, options.isa, true});
  auto gpu = *options.gpu;
  gpu.threads = threads;
  return make_gpu_device(gpu);
}

std::shared_ptr<const loaded_model> model_of(const driver_options& options,
                                             const engine& engine,
                                             const progress_fn& progress) {
  if (!options.shape.empty()) {
    require(options.gpu.has_value(),
            "bench: --shape makes weights on a GPU; choose --device cuda, or "
            "write a file with sluice synth and give it as --model");
    // With the context that is used: page tables have room for all of it.
    return bare_model({.shape = options.shape,
                       .type = options.weight_type.value_or(dtype::bf16),
                       .context = (options.tokens_each + 1023) / 1024 * 1024});
  }
  load_options loading;
  loading.progress = progress;
  loading.packing = engine.packing();
  loading.fp8 = engine.multiplies_fp8();
  loading.weight_type = options.weight_type;
  return load_model(options.model, loading);
}

} // namespace

engine_driver::engine_driver(driver_options options,
                             const progress_fn& progress)
    : options_{std::move(options)} {
  if (options_.threads == 0)
    options_.threads = std::max(1u, std::thread::hardware_concurrency());
  engine_ = std::make_unique<engine>(device_of(options_));
  const auto model = model_of(options_, *engine_, progress);
  vocabulary_ = model->arch.vocab;
  options_.tokens_each = std::min(options_.tokens_each, model->arch.context);
  lane_options lane;
  lane.page_tokens = page_tokens;
  lane.kv_type = options_.kv_type;
  lane.kv_pages = options_.sequences * pages_of(options_.tokens_each);
  lane.max_step_tokens = std::max(options_.step_tokens, options_.sequences);
  lane_ = engine_->add_lane(model, lane, progress);
  work_ = step_work{*model, lane};
  engine_->pin_caller(); // after loading, which starts threads
}

engine_driver::~engine_driver() {
  engine_->unpin_caller(); // threads that it starts later may run anywhere
}

machine engine_driver::facts() const {
  const auto facts = engine_->facts(lane_);
  return {facts.model, facts.isa, options_.threads, facts.weight_bytes};
}

void engine_driver::prompts(std::uint32_t count, std::uint32_t tokens) {
  forget();
  for (std::uint32_t i = 0; i < count; ++i)
    sequences_.push_back({some_tokens(tokens, vocabulary_, i)});
  for (std::uint32_t next = 0; next < count;) {
    messages::StepPlanT plan;
    for (auto room = options_.step_tokens; room > 0 && next < count;) {
      const auto& sequence = sequences_[next];
      const auto chunk = std::min(room, tokens - sequence.computed);
      if (sequence.computed == 0)
        join(plan, next);
      add_chunk(plan, next, chunk);
      room -= chunk;
      if (sequence.computed == tokens)
        ++next;
    }
    start(std::move(plan));
  }
  settle();
}

void engine_driver::decode() {
  messages::StepPlanT plan;
  for (std::uint32_t i = 0; i < sequences_.size(); ++i) {
    auto& sequence = sequences_[i];
    auto row = std::make_unique<messages::PlanRowT>();
    row->sequence = key_of(i);
    row->start = sequence.computed++;
    row->from_plan = sequence.plan;
    row->from_row = sequence.row;
    add_row(plan, sequence, std::move(row));
  }
  start(std::move(plan));
}

void engine_driver::settle() {
  while (engine_->started() > 0)
    finish();
}

void engine_driver::add_row(messages::StepPlanT& plan, sequence& of,
                            std::unique_ptr<messages::PlanRowT> row) {
  of.plan = next_plan_;
  of.row = static_cast<std::uint32_t>(plan.rows.size());
  plan.rows.push_back(std::move(row));
}

/// With all the pages that the sequence will need.
void engine_driver::join(messages::StepPlanT& plan, std::uint32_t index) {
  const auto& prompt = sequences_[index].prompt;
  auto state = std::make_unique<messages::SequenceStateT>();
  state->sequence = key_of(index);
  state->seed = index;
  state->sampling = std::make_unique<messages::SamplingT>();
  state->tokens = prompt;
  state->prompt_tokens = static_cast<std::uint32_t>(prompt.size());
  const auto pages = pages_of(options_.tokens_each);
  for (std::uint32_t i = 0; i < pages; ++i)
    state->pages.push_back(index * pages + i);
  plan.joined.push_back(std::move(state));
}

/// The next tokens of a prompt; the last one is sampled.
void engine_driver::add_chunk(messages::StepPlanT& plan, std::uint32_t index,
                              std::uint32_t tokens) {
  auto& sequence = sequences_[index];
  const auto first = sequence.prompt.begin() + sequence.computed;
  auto row = std::make_unique<messages::PlanRowT>();
  row->sequence = key_of(index);
  row->start = sequence.computed;
  row->tokens.assign(first, first + tokens);
  sequence.computed += tokens;
  const bool whole = sequence.computed == sequence.prompt.size();
  row->sample_from = whole ? tokens - 1 : tokens;
  add_row(plan, sequence, std::move(row));
}

// As a daemon does it: before the last result is read, if the device can.
void engine_driver::start(messages::StepPlanT plan) {
  plan.lane = lane_;
  plan.number = next_plan_++;
  plan.left = std::exchange(left_, {});
  if (engine_->started() == most_started_steps)
    finish();
  plans_.push_back(messages::pack<messages::StepPlan>(plan));
  engine_->start(*plans_.back());
  while (engine_->started() > 0 && engine_->is_done())
    finish();
}

void engine_driver::finish() {
  const auto result = engine_->finish();
  plans_.pop_front();
  if (result->code() != messages::ErrorCode::none)
    throw std::runtime_error{"the step failed: " + result->text()->str()};
  idle_seconds_ += static_cast<double>(result->idle_ns()) / 1e9;
  for (const auto* row : *result->rows())
    if (row->code() != messages::ErrorCode::none)
      throw std::runtime_error{"a row failed: " + row->text()->str()};
}

void engine_driver::forget() {
  for (std::uint32_t i = 0; i < sequences_.size(); ++i)
    left_.push_back(key_of(i));
  sequences_.clear();
}

} // namespace sluice::bench
