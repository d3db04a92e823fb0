// SPDX-License-Identifier: Apache-2.0
#include "model/prepare.hpp"

#include <algorithm>

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
  if (submit.best_of() > submit.n())
    refuse("best_of", "more candidates than answers");
  if (submit.echo())
    refuse("echo", "echoed prompts");
  if (submit.prompt_logprobs())
    refuse("prompt_logprobs", "log-probabilities of the prompt");
  if (submit.cascade())
    refuse("cascade", "ladders of models");
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
  const auto text =
      submit.prompt() ? submit.prompt()->string_view() : std::string_view{};
  try {
    return lane.text->encode(text, {.parse_special = submit.parse_special()});
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
  if (tokens.size() >= lane.context)
    throw refusal{ErrorCode::prompt_too_long,
                  "the prompt has " + std::to_string(tokens.size()) +
                      " tokens and the context of " + lane.model + " is " +
                      std::to_string(lane.context) +
                      "; shorten the prompt or choose a model with a longer "
                      "context"};
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
  work.priority = submit.priority();
  work.deadline_ms = submit.deadline_ms();
  work.queue_timeout_ms = submit.queue_timeout_ms();
  work.sampling = std::make_unique<messages::SamplingT>();
  work.stopping = std::make_unique<messages::StopRulesT>();
  try {
    refuse_what_is_not_offered(submit);
    const auto& lane = lane_of(submit, lanes);
    work.lane = lane.lane;
    work.prompt = prompt_of(submit, lane);
    work.stopping = stopping_of(submit, lane);
    work.sampling = sampling_of(submit, lane);
    work.seed = work.sampling->seed ? *work.sampling->seed : make_seed();
  } catch (const refusal& why) {
    result.code = why.code;
    result.text = why.text;
  }
  return result;
}

} // namespace sluice
