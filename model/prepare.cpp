// SPDX-License-Identifier: Apache-2.0
#include "model/prepare.hpp"

#include <algorithm>
#include <span>

#include "model/tokenizer/tokenizer.hpp"

namespace sluice {
namespace {

using messages::ErrorCode;

/// Ends preparation; turned into the answer's code and text.
struct refusal {
  ErrorCode code;
  std::string text;
};

void refuse_what_is_not_offered(const messages::Submit& submit) {
  const auto refuse = [](const char* field, const char* what) {
    throw refusal{ErrorCode::unsupported_feature,
                  std::string{field} + ": " + what +
                      " are not offered by this version; leave the field at "
                      "its default"};
  };
  if (submit.messages() && submit.messages()->size() > 0)
    refuse("messages", "chat templates");
  if (submit.cascade())
    refuse("cascade", "ladders of models");
}

/// The prompt and, if there is one, its continuation.
std::string whole_text(const messages::Submit& submit) {
  std::string text = submit.prompt() ? submit.prompt()->str() : "";
  if (submit.continuation())
    text += submit.continuation()->string_view();
  return text;
}

const lane_profile& lane_of(const messages::Submit& submit,
                            const std::vector<lane_profile>& lanes) {
  if (!submit.model() || submit.model()->size() == 0)
    return lanes.front();
  const auto name = submit.model()->string_view();
  const auto found =
      std::find_if(lanes.begin(), lanes.end(),
                   [name](const auto& lane) { return lane.model == name; });
  if (found != lanes.end())
    return *found;
  std::string known;
  for (const auto& lane : lanes)
    known += (known.empty() ? "" : ", ") + lane.model;
  throw refusal{ErrorCode::unknown_model, "no model is named '" +
                                              std::string{name} +
                                              "'; this daemon hosts " + known};
}

std::vector<std::uint32_t> given_tokens(const messages::Submit& submit,
                                        const lane_profile& lane) {
  std::vector<std::uint32_t> tokens{submit.prompt_tokens()->begin(),
                                    submit.prompt_tokens()->end()};
  for (const auto token : tokens)
    if (token >= lane.vocab)
      throw refusal{ErrorCode::invalid_argument,
                    "prompt_tokens: " + std::to_string(token) +
                        " is not a token of " + lane.model +
                        ", whose ids end at " + std::to_string(lane.vocab - 1)};
  return tokens;
}

std::vector<std::uint32_t> encoded_prompt(const messages::Submit& submit,
                                          const lane_profile& lane) {
  try {
    return lane.text->encode(whole_text(submit),
                             {.parse_special = submit.parse_special()});
  } catch (const std::exception& error) {
    throw refusal{ErrorCode::tokenizer_failed, error.what()};
  }
}

std::vector<std::uint32_t> prompt_of(const messages::Submit& submit,
                                     const lane_profile& lane) {
  const bool given =
      submit.prompt_tokens() && submit.prompt_tokens()->size() > 0;
  auto tokens =
      given ? given_tokens(submit, lane) : encoded_prompt(submit, lane);
  if (tokens.empty())
    throw refusal{ErrorCode::invalid_argument,
                  "the prompt is empty and the model has no token to begin "
                  "with; give it at least one token"};
  // The last token of a text that is only scored needs no KV.
  if (tokens.size() >= lane.context + (submit.score() ? 1u : 0u))
    throw refusal{
        ErrorCode::prompt_too_long,
        "the prompt has " + std::to_string(tokens.size()) +
            " tokens and the context of " + lane.model + " is " +
            std::to_string(lane.context) + "; shorten the prompt" +
            (submit.score() ? ", score it in windows (--stride)" : "") +
            " or choose a model with a longer context"};
  return tokens;
}

std::unique_ptr<messages::StopRulesT>
stopping_of(const messages::Submit& submit, const lane_profile& lane) {
  auto rules = std::make_unique<messages::StopRulesT>();
  if (submit.stopping())
    submit.stopping()->UnPackTo(rules.get());
  if (!rules->ignore_eos)
    rules->stop_tokens.insert(rules->stop_tokens.end(), lane.eos.begin(),
                              lane.eos.end());
  return rules;
}

std::unique_ptr<messages::SamplingT> sampling_of(const messages::Submit& submit,
                                                 const lane_profile& lane) {
  auto sampling = std::make_unique<messages::SamplingT>();
  if (submit.sampling())
    submit.sampling()->UnPackTo(sampling.get());
  for (const auto& bias : sampling->logit_bias)
    if (bias.token() >= lane.vocab)
      throw refusal{ErrorCode::invalid_argument,
                    "logit_bias: " + std::to_string(bias.token()) +
                        " is not a token of " + lane.model};
  return sampling;
}

/// Index of the first token of the continuation, as evaluation harnesses split
/// a text: behind as many tokens as the prompt has by itself, its trailing
/// whitespace left to the continuation.
std::size_t continuation_begin(const messages::Submit& submit,
                               const lane_profile& lane,
                               std::span<const std::uint32_t> tokens) {
  const auto prompt = submit.prompt()->string_view();
  const auto end = prompt.find_last_not_of(" \t\n\r\f\v") + 1;
  const auto alone = lane.text->encode(
      prompt.substr(0, end), {.parse_special = submit.parse_special()});
  auto begin = alone.size();
  const auto& ends = lane.text->eos();
  // Of tokenizers that put EOS behind every text.
  if (begin > 1 && std::ranges::count(ends, alone.back()) > 0 &&
      (begin > tokens.size() || tokens[begin - 1] != alone.back()))
    --begin;
  return begin;
}

std::uint32_t first_scored(const messages::Submit& submit,
                           const lane_profile& lane,
                           std::span<const std::uint32_t> tokens) {
  const bool split = submit.continuation() && submit.continuation()->size() > 0;
  const auto first = split ? continuation_begin(submit, lane, tokens)
                           : std::size_t{submit.score_from()};
  if (submit.score() && std::max<std::size_t>(first, 1) >= tokens.size())
    throw refusal{ErrorCode::invalid_argument,
                  "nothing can be scored: the text has " +
                      std::to_string(tokens.size()) +
                      " tokens and the first to be scored would be number " +
                      std::to_string(std::max<std::size_t>(first, 1)) +
                      " (from 0); give a longer text"};
  return static_cast<std::uint32_t>(std::max<std::size_t>(first, 1));
}

void set_scoring(messages::WorkT& work, const messages::Submit& submit,
                 const lane_profile& lane) {
  work.score_only = submit.score();
  work.publish_scores = submit.prompt_logprobs();
  if (!submit.score() && !submit.prompt_logprobs())
    return;
  work.score_from = first_scored(submit, lane, work.prompt);
  if (!submit.prompt_logprobs())
    return;
  work.prompt_top_logprobs = submit.prompt_top_logprobs();
  const auto scored =
      work.prompt.size() -
      std::min<std::size_t>(work.score_from, work.prompt.size());
  const auto all = scored * (1 + std::uint64_t{work.prompt_top_logprobs});
  if (all > lane.max_prompt_logprobs)
    throw refusal{ErrorCode::invalid_argument,
                  "prompt_logprobs: " + std::to_string(scored) +
                      " tokens with " +
                      std::to_string(work.prompt_top_logprobs) +
                      " alternatives each are " + std::to_string(all) +
                      " log-probabilities; allowed: at most " +
                      std::to_string(lane.max_prompt_logprobs) +
                      "; ask for fewer alternatives, a shorter prompt, or "
                      "raise limits.prompt_logprobs"};
}

std::string echo_of(const messages::Submit& submit, const messages::WorkT& work,
                    const lane_profile& lane) {
  if (!submit.echo())
    return {};
  auto text = whole_text(submit);
  return text.empty() ? lane.text->decode(work.prompt) : std::move(text);
}

} // namespace

messages::PreparedT prepare(std::uint64_t request,
                            const messages::Submit& submit,
                            const std::vector<lane_profile>& lanes,
                            const std::function<std::uint64_t()>& make_seed) {
  messages::PreparedT result;
  result.work = std::make_unique<messages::WorkT>();
  auto& work = *result.work;
  work.request = request;
  work.id = std::make_unique<messages::RequestId>(*submit.id());
  work.tenant = submit.tenant() ? submit.tenant()->str() : std::string{};
  work.n = submit.n();
  work.best_of = submit.best_of();
  if (submit.beam() && submit.beam()->width() > 0)
    work.beam.reset(submit.beam()->UnPack());
  work.priority = submit.priority();
  work.deadline_ms = submit.deadline_ms();
  work.queue_timeout_ms = submit.queue_timeout_ms();
  work.keep_cached_ms = submit.keep_cached_ms();
  work.pin = submit.pin();
  work.unpin = submit.unpin();
  work.sampling = std::make_unique<messages::SamplingT>();
  work.stopping = std::make_unique<messages::StopRulesT>();
  try {
    refuse_what_is_not_offered(submit);
    const auto& lane = lane_of(submit, lanes);
    work.lane = lane.lane;
    work.prompt = prompt_of(submit, lane);
    work.stopping = stopping_of(submit, lane);
    work.sampling = sampling_of(submit, lane);
    set_scoring(work, submit, lane);
    work.echo = echo_of(submit, work, lane);
    work.seed = work.sampling->seed ? *work.sampling->seed : make_seed();
  } catch (const refusal& why) {
    result.code = why.code;
    result.text = why.text;
  }
  return result;
}

} // namespace sluice
