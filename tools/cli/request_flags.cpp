// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/request_flags.hpp"

#include <charconv>

#include "tools/client/events.hpp"

namespace sluice::cli {
namespace {

void add_sampling(CLI::App& app, request_flags& f) {
  constexpr auto group = "Sampling";
  auto& s = f.sampling;
  app.add_option("--temperature", s.temperature,
                 "0: always the likeliest token; default 1")
      ->group(group);
  app.add_option("--top-k", s.top_k, "Keep the K likeliest tokens; 0: all")
      ->group(group);
  app.add_option("--top-p", s.top_p,
                 "Keep the likeliest tokens that sum to this; 1: all")
      ->group(group);
  app.add_option("--min-p", s.min_p,
                 "Drop tokens below this part of the likeliest; 0: none")
      ->group(group);
  app.add_option("--repetition-penalty", s.repetition_penalty,
                 "Divides the logits of tokens seen before; 1: off")
      ->group(group);
  app.add_option("--frequency-penalty", s.frequency_penalty,
                 "Taken from a logit for each earlier use")
      ->group(group);
  app.add_option("--presence-penalty", s.presence_penalty,
                 "Taken from a logit once it was used")
      ->group(group);
  app.add_option("--seed", f.seed, "Makes the output repeatable")->group(group);
  app.add_option("--logit-bias", f.logit_bias, "Added to a token's logit")
      ->type_name("ID=VALUE")
      ->group(group);
  app.add_option("--logprobs", s.logprobs,
                 "Log-probabilities of so many alternatives (with --json)")
      ->group(group);
}

void add_stopping(CLI::App& app, request_flags& f) {
  constexpr auto group = "Stopping";
  auto& s = f.stopping;
  app.add_option("-m,--max-tokens", s.max_tokens,
                 "Longest output; 0: until the context is full")
      ->group(group);
  app.add_option("--min-tokens", s.min_tokens, "Shortest output")->group(group);
  app.add_option("--stop", s.stop, "Ends the output; may be given again")
      ->allow_extra_args(false)
      ->type_name("TEXT")
      ->group(group);
  app.add_option("--stop-token", s.stop_tokens, "Token id that ends the output")
      ->allow_extra_args(false)
      ->type_name("ID")
      ->group(group);
  app.add_flag("--ignore-eos", s.ignore_eos,
               "Go on after the model's end-of-text token")
      ->group(group);
}

} // namespace

void add_choice_flags(CLI::App& app, request_flags& f) {
  constexpr auto group = "Answers";
  app.add_option("-n", f.n, "Answers to give")->group(group);
  auto* best_of =
      app.add_option("--best-of", f.best_of,
                     "Draw so many answers and give the n likeliest, at the "
                     "end only")
          ->group(group);
  auto* beams = app.add_option("--beams", f.beam.width,
                               "Search for the n likeliest answers with so "
                               "many beams; they come at the end only")
                    ->excludes(best_of)
                    ->group(group);
  app.add_option("--length-penalty", f.beam.length_penalty,
                 "Of beams: above 0 prefers longer answers, below 0 shorter; "
                 "default 1")
      ->needs(beams)
      ->group(group);
  const std::map<std::string, messages::EarlyStopping> rules{
      {"heuristic", messages::EarlyStopping::heuristic},
      {"first", messages::EarlyStopping::first},
      {"never", messages::EarlyStopping::never}};
  app.add_option("--early-stopping", f.beam.early_stopping,
                 "Of beams, when there are enough answers: when the best "
                 "running beam is no better (default), at once, or only when "
                 "none can become better")
      ->transform(CLI::CheckedTransformer(rules))
      ->type_name("heuristic|first|never")
      ->needs(beams)
      ->group(group);
}

void add_scheduling_flags(CLI::App& app, request_flags& f) {
  constexpr auto group = "Scheduling";
  app.add_option("--model-name", f.model,
                 "Model in the daemon; default: its first")
      ->type_name("NAME")
      ->group(group);
  app.add_option("--priority", f.priority, "Higher is sooner")->group(group);
  app.add_option("--deadline", f.deadline_ms, "Fail after so long; 0: never")
      ->type_name("MS")
      ->group(group);
  app.add_option("--queue-timeout", f.queue_timeout_ms,
                 "Fail after waiting so long; 0: never")
      ->type_name("MS")
      ->group(group);
  app.add_flag("--parse-special", f.parse_special,
               "Read special tokens in the prompt's text")
      ->group(group);
}

namespace {

messages::LogitBias parse_bias(const std::string& text) {
  std::uint32_t token = 0;
  float value = 0;
  const auto* end = text.data() + text.size();
  const auto id = std::from_chars(text.data(), end, token);
  if (id.ec == std::errc{} && id.ptr != end && *id.ptr == '=') {
    const auto number = std::from_chars(id.ptr + 1, end, value);
    if (number.ec == std::errc{} && number.ptr == end)
      return {token, value};
  }
  throw client::bad_request{"--logit-bias '" + text +
                            "' is not ID=VALUE, as in 17=-2.5"};
}

} // namespace

std::shared_ptr<request_flags> add_request_flags(CLI::App& app) {
  auto flags = std::make_shared<request_flags>();
  add_sampling(app, *flags);
  add_stopping(app, *flags);
  add_scheduling_flags(app, *flags);
  return flags;
}

messages::SubmitT to_submit(const request_flags& flags) {
  messages::SubmitT submit;
  submit.sampling = std::make_unique<messages::SamplingT>(flags.sampling);
  submit.stopping = std::make_unique<messages::StopRulesT>(flags.stopping);
  if (flags.seed)
    submit.sampling->seed = *flags.seed;
  submit.sampling->want_logprobs = flags.sampling.logprobs > 0;
  for (const auto& text : flags.logit_bias)
    submit.sampling->logit_bias.push_back(parse_bias(text));
  submit.model = flags.model;
  submit.n = flags.n;
  submit.best_of = flags.best_of;
  if (flags.beam.width > 0)
    submit.beam = std::make_unique<messages::BeamSearchT>(flags.beam);
  submit.priority = flags.priority;
  submit.deadline_ms = flags.deadline_ms;
  submit.queue_timeout_ms = flags.queue_timeout_ms;
  submit.parse_special = flags.parse_special;
  return submit;
}

} // namespace sluice::cli
