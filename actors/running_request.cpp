// SPDX-License-Identifier: Apache-2.0
#include "actors/running_request.hpp"

#include <algorithm>
#include <cmath>

namespace sluice::actors {
namespace {

stop_rules rules_of(const messages::Work& work) {
  stop_rules rules;
  const auto& wanted = *work.stopping();
  if (wanted.stop())
    for (const auto* text : *wanted.stop())
      rules.strings.push_back(text->str());
  if (wanted.stop_tokens())
    rules.tokens.assign(wanted.stop_tokens()->begin(),
                        wanted.stop_tokens()->end());
  rules.min_tokens = wanted.min_tokens();
  return rules;
}

} // namespace

running_request::running_request(messages::frame<messages::Admit> order,
                                 const tokenizer& text, std::string model,
                                 std::uint32_t context_tokens, time_point now)
    : order_{std::move(order)}, admitted_{now} {
  choose_form(text, context_tokens);
  receipt_.model = std::move(model);
  receipt_.prompt_tokens = work().prompt()->size();
  receipt_.seed = work().seed();
  receipt_.queue_us = order_->queue_us();
}

void running_request::choose_form(const tokenizer& text,
                                  std::uint32_t context_tokens) {
  if (work().beam()) {
    const auto room = context_tokens - work().prompt()->size();
    const auto most = work().stopping()->max_tokens();
    beams_.emplace(work(), text, rules_of(work()),
                   most == 0 ? room : std::min(most, room));
    sequences_.resize(beam_group::sequences_for(work()));
    sequences_.front().alive = true;
    receipt_.candidates = work().beam()->width();
    return;
  }
  const bool chosen = work().best_of() > work().n();
  sequences_.resize(chosen ? work().best_of() : work().n());
  for (std::uint32_t i = 0; i < size(); ++i) {
    sequences_[i].alive = true;
    sequences_[i].output.emplace(i, text, rules_of(work()));
  }
  if (!chosen)
    return;
  held_.emplace(size());
  receipt_.candidates = size();
}

std::vector<std::uint32_t> running_request::living() const {
  std::vector<std::uint32_t> found;
  for (std::uint32_t i = 0; i < size(); ++i)
    if (sequences_[i].alive)
      found.push_back(i);
  return found;
}

bool running_request::alive() const {
  return std::any_of(sequences_.begin(), sequences_.end(),
                     [](const auto& s) { return s.alive; });
}

std::unique_ptr<messages::SequenceStateT>
running_request::state_of(std::uint32_t index,
                          std::span<const std::uint32_t> tokens,
                          std::uint32_t computed) const {
  auto state = std::make_unique<messages::SequenceStateT>();
  state->sequence = sequence_key(number(), index);
  state->index = index;
  state->seed = work().seed();
  set_sampling(*state);
  state->tokens.assign(tokens.begin(), tokens.end());
  state->computed = computed;
  state->prompt_tokens = work().prompt()->size();
  state->top_scores = work().prompt_top_logprobs();
  return state;
}

/// Choosing among answers takes log-probabilities that the client need not have
/// asked for; they change no token.
void running_request::set_sampling(messages::SequenceStateT& state) const {
  state.sampling = std::make_unique<messages::SamplingT>();
  work().sampling()->UnPackTo(state.sampling.get());
  if (answers_at_end())
    state.sampling->want_logprobs = true;
  if (!beams_)
    return;
  state.sampling->temperature = 0;
  state.sampling->logprobs = beam_group::choices_for(work());
}

policy::prompt_scoring running_request::scoring_of(std::uint32_t index) const {
  return {.from = index == 0 ? work().score_from() : 0,
          .only = work().score_only()};
}

std::unique_ptr<messages::DeltaT>
running_request::echo_of(std::uint32_t index) const {
  if (!work().echo() || work().echo()->size() == 0)
    return nullptr;
  auto delta = std::make_unique<messages::DeltaT>();
  delta->sequence = index;
  delta->text = work().echo()->str();
  return delta;
}

std::uint64_t running_request::age_us(time_point now) const {
  using namespace std::chrono;
  const auto running = duration_cast<microseconds>(now - admitted_).count();
  return order_->queue_us() + static_cast<std::uint64_t>(running);
}

void running_request::count_tokens(std::uint32_t tokens, time_point now) {
  if (receipt_.generated_tokens == 0)
    receipt_.first_token_us = age_us(now);
  receipt_.generated_tokens += tokens;
}

// Token by token: the sum does not depend on how the prompt was cut.
void running_request::count_scores(const messages::TokenScores& scores) {
  for (const auto logprob : *scores.logprobs())
    receipt_.log_likelihood += static_cast<double>(logprob);
  for (const auto rank : *scores.ranks())
    receipt_.likeliest_tokens += rank == 1;
  receipt_.scored_tokens += scores.tokens()->size();
}

// The siblings share the prompt of the first: that is no cache's merit.
void running_request::count_entry(std::uint32_t index,
                                  std::uint32_t cached_tokens) {
  if (index == 0 && !sequences_[index].entered)
    receipt_.cached_tokens = cached_tokens;
  sequences_[index].entered = true;
}

void running_request::count_usage(double page_seconds) {
  receipt_.page_seconds += page_seconds;
  --unsettled_;
}

std::unique_ptr<messages::ReceiptT>
running_request::receipt(time_point now) const {
  auto copy = std::make_unique<messages::ReceiptT>();
  copy->model = receipt_.model;
  copy->prompt_tokens = receipt_.prompt_tokens;
  copy->generated_tokens = receipt_.generated_tokens;
  copy->seed = receipt_.seed;
  copy->queue_us = receipt_.queue_us;
  copy->first_token_us = receipt_.first_token_us;
  copy->steps = receipt_.steps;
  copy->cached_tokens = receipt_.cached_tokens;
  copy->preemptions = receipt_.preemptions;
  copy->page_seconds = receipt_.page_seconds;
  copy->candidates = receipt_.candidates;
  copy->total_us = age_us(now);
  copy->scored_tokens = receipt_.scored_tokens;
  copy->log_likelihood = receipt_.log_likelihood;
  copy->likeliest_tokens = receipt_.likeliest_tokens;
  if (receipt_.scored_tokens > 0)
    copy->perplexity =
        std::exp(-receipt_.log_likelihood / receipt_.scored_tokens);
  return copy;
}

} // namespace sluice::actors
