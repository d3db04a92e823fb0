// SPDX-License-Identifier: Apache-2.0
#include "messages/semantic_check.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

#include "messages/range_check.hpp"
#include "messages/walk.hpp"

namespace sluice::messages {
namespace {

constexpr std::size_t smallest_frame_bytes = 16; // an empty Lease
constexpr std::uint32_t most_lease_ms = 3'600'000;
constexpr std::uint32_t most_wait_ms = 7 * 24 * 3'600'000u;
constexpr std::uint32_t most_keep_ms = 24 * 3'600'000u;
constexpr std::int32_t most_priority = 100;
constexpr std::size_t most_endpoint_bytes = 256;
constexpr std::size_t most_models = 256;
constexpr std::uint32_t most_beams = 128; // as sequence keys have room for
constexpr float most_length_penalty = 10;

template <class Vector>
bool is_filled(const Vector* vector) {
  return vector && vector->size() > 0;
}

/// Identifier bytes as text that is safe to print.
std::string printable(const std::byte* four) {
  std::string text;
  for (int i = 0; i < 4; ++i) {
    const auto c = static_cast<char>(four[i]);
    text += c > ' ' && c <= '~' ? c : '?';
  }
  return text;
}

void check_prompt(range_check& check, const Submit& submit,
                  const frame_limits& limits) {
  const int given = is_filled(submit.prompt()) +
                    is_filled(submit.prompt_tokens()) +
                    is_filled(submit.messages());
  check
      .rule(given == 1, given == 0 ? "prompt, prompt_tokens and messages are "
                                     "all empty; set exactly one"
                                   : "more than one of prompt, prompt_tokens "
                                     "and messages is set; set exactly one")
      .length("prompt", submit.prompt(), limits.max_prompt_bytes)
      .count("prompt_tokens", submit.prompt_tokens(), limits.max_prompt_tokens)
      .count("messages", submit.messages(), limits.max_messages);
  std::uint64_t chat_bytes = 0;
  if (submit.messages())
    for (const auto* message : *submit.messages())
      chat_bytes += message->content() ? message->content()->size() : 0;
  check.within("bytes of messages", chat_bytes, 0, limits.max_prompt_bytes);
}

void check_sampling(range_check& check, const Sampling* sampling,
                    const frame_limits& limits) {
  if (!sampling)
    return;
  check.within("sampling.temperature", sampling->temperature(), 0, 100)
      .above("sampling.top_p", sampling->top_p(), 0, 1)
      .within("sampling.min_p", sampling->min_p(), 0, 1)
      .above("sampling.repetition_penalty", sampling->repetition_penalty(), 0,
             100)
      .within("sampling.frequency_penalty", sampling->frequency_penalty(), -100,
              100)
      .within("sampling.presence_penalty", sampling->presence_penalty(), -100,
              100)
      .within("sampling.logprobs", sampling->logprobs(), 0, limits.max_logprobs)
      .count("sampling.logit_bias", sampling->logit_bias(),
             limits.max_logit_bias);
}

void check_stopping(range_check& check, const StopRules* rules,
                    const frame_limits& limits) {
  if (!rules)
    return;
  const auto most_tokens = rules->max_tokens() > 0
                               ? rules->max_tokens()
                               : std::numeric_limits<std::uint32_t>::max();
  check.within("stopping.min_tokens", rules->min_tokens(), 0, most_tokens)
      .count("stopping.stop", rules->stop(), limits.max_stop_strings)
      .count("stopping.stop_tokens", rules->stop_tokens(),
             limits.max_stop_tokens);
  if (rules->stop())
    for (const auto* text : *rules->stop())
      check.within("bytes of a stopping.stop string", text->size(), 1,
                   limits.max_stop_bytes);
}

void check_scoring(range_check& check, const Submit& submit,
                   const frame_limits& limits) {
  const bool split = is_filled(submit.continuation());
  const auto prompt_bytes = submit.prompt() ? submit.prompt()->size() : 0;
  check
      .within("prompt_top_logprobs", submit.prompt_top_logprobs(), 0,
              limits.max_logprobs)
      .within("score_from", submit.score_from(), 0, limits.max_prompt_tokens)
      .length("continuation", submit.continuation(),
              limits.max_prompt_bytes -
                  std::min<std::size_t>(prompt_bytes, limits.max_prompt_bytes))
      .rule(!split || (submit.score() && prompt_bytes > 0),
            "continuation is set without score or without prompt; set both")
      .rule(!split || submit.score_from() == 0,
            "continuation and score_from are both set; set one of them")
      .rule(submit.score_from() == 0 || submit.score() ||
                submit.prompt_logprobs(),
            "score_from is set and nothing is scored; set score or "
            "prompt_logprobs")
      .rule(submit.prompt_top_logprobs() == 0 || submit.prompt_logprobs(),
            "prompt_top_logprobs is set without prompt_logprobs; set both")
      .rule(!submit.score() || (submit.n() == 1 && submit.best_of() <= 1),
            "n or best_of is above 1 and score generates nothing; leave them "
            "out");
}

/// Whether tokens come from the model's own distribution.
bool is_plain(const Sampling* s) {
  return !s || ((s->temperature() == 1 || s->temperature() == 0) &&
                s->top_k() == 0 && s->top_p() == 1 && s->min_p() == 0 &&
                s->repetition_penalty() == 1 && s->frequency_penalty() == 0 &&
                s->presence_penalty() == 0 && !is_filled(s->logit_bias()));
}

void check_beam(range_check& check, const Submit& submit,
                const frame_limits& limits) {
  const auto* beam = submit.beam();
  if (!beam || beam->width() == 0)
    return;
  check
      .within("beam.width", beam->width(), 1,
              std::min(limits.max_sequences, most_beams))
      .within("beam.length_penalty", beam->length_penalty(),
              -most_length_penalty, most_length_penalty)
      .rule(submit.n() <= beam->width(),
            "n is above beam.width, and there are as many answers as beams at "
            "most; lower n or raise beam.width")
      .rule(submit.best_of() == 0,
            "beam and best_of are both set; set one of them")
      .rule(!submit.score(),
            "beam is set and score generates nothing; leave it out")
      .rule(is_plain(submit.sampling()),
            "beam is set and beams draw nothing from a changed distribution; "
            "leave temperature, top_k, top_p, min_p, penalties and logit_bias "
            "at their defaults");
}

void check_best_of(range_check& check, const Submit& submit,
                   const frame_limits& limits) {
  const auto* sampling = submit.sampling();
  check.within("best_of", submit.best_of(), 0, limits.max_sequences)
      .rule(submit.best_of() == 0 || submit.best_of() >= submit.n(),
            "best_of is below n; set it to 0 or to n or more")
      .rule(submit.best_of() <= submit.n() || !sampling ||
                sampling->temperature() > 0,
            "best_of is above n at temperature 0, where all candidates are "
            "alike; raise temperature or leave best_of out");
}

void check_cascade(range_check& check, const CascadePolicy* policy,
                   const frame_limits& limits) {
  if (policy)
    check.name("cascade.ladder", policy->ladder(), limits.max_name_bytes);
}

} // namespace

std::optional<std::string> check_envelope(std::span<const std::byte> bytes,
                                          const char* identifier,
                                          const frame_limits& limits) {
  if (bytes.size() > limits.max_frame_bytes)
    return "the frame has " + std::to_string(bytes.size()) +
           " bytes; allowed: at most " + std::to_string(limits.max_frame_bytes);
  if (bytes.size() < smallest_frame_bytes)
    return "the frame has " + std::to_string(bytes.size()) +
           " bytes; the smallest has " + std::to_string(smallest_frame_bytes);
  if (std::memcmp(bytes.data() + 4, identifier, 4) != 0)
    return "the frame's identifier is " + printable(bytes.data() + 4) +
           "; expected: " + identifier;
  return std::nullopt;
}

std::optional<std::string> check_values(std::span<const std::byte> frame,
                                        const flatbuffers::TypeTable& type) {
  return value_walker{frame}.check(type);
}

std::optional<std::string> check_ranges(const Hello& hello,
                                        const frame_limits& limits) {
  constexpr auto any = std::numeric_limits<std::uint32_t>::max();
  range_check check;
  check.within("protocol", hello.protocol(), 1, any)
      .within("oldest_protocol", hello.oldest_protocol(), 1, hello.protocol())
      .name("name", hello.name(), limits.max_name_bytes)
      .name("version", hello.version(), limits.max_name_bytes)
      .name("stream_endpoint", hello.stream_endpoint(), most_endpoint_bytes)
      .within("lease_ms", hello.lease_ms(), 0, most_lease_ms)
      .count("models", hello.models(), most_models);
  if (hello.models())
    for (const auto* model : *hello.models())
      check.name("models", model, limits.max_name_bytes);
  return check.problem();
}

std::optional<std::string> check_ranges(const Submit& submit,
                                        const frame_limits& limits) {
  range_check check;
  check.name("tenant", submit.tenant(), limits.max_name_bytes)
      .name("model", submit.model(), limits.max_name_bytes);
  check_prompt(check, submit, limits);
  check_sampling(check, submit.sampling(), limits);
  check_stopping(check, submit.stopping(), limits);
  check_cascade(check, submit.cascade(), limits);
  check_scoring(check, submit, limits);
  check_best_of(check, submit, limits);
  check_beam(check, submit, limits);
  check.within("n", submit.n(), 1, limits.max_sequences)
      .within("priority", submit.priority(), -most_priority, most_priority)
      .within("deadline_ms", submit.deadline_ms(), 0, most_wait_ms)
      .within("queue_timeout_ms", submit.queue_timeout_ms(), 0, most_wait_ms)
      .within("keep_for_ms", submit.keep_for_ms(), 0, most_keep_ms)
      .within("keep_cached_ms", submit.keep_cached_ms(), 0, most_keep_ms)
      .rule(!submit.pin() || !submit.unpin(),
            "pin and unpin exclude each other; set one of them");
  return check.problem();
}

std::optional<std::string> check_ranges(const Cancel& cancel,
                                        const frame_limits& limits) {
  return range_check{}
      .name("tenant", cancel.tenant(), limits.max_name_bytes)
      .problem();
}

std::optional<std::string> check_ranges(const Replay& replay,
                                        const frame_limits& limits) {
  return range_check{}
      .name("tenant", replay.tenant(), limits.max_name_bytes)
      .problem();
}

std::optional<std::string> check_ranges(const Lease& lease,
                                        const frame_limits&) {
  return range_check{}
      .within("lease_ms", lease.lease_ms(), 0, most_lease_ms)
      .problem();
}

std::optional<std::string> check_ranges(const Query& query,
                                        const frame_limits&) {
  return range_check{}
      .within("kind", static_cast<std::uint32_t>(query.kind()), 0,
              static_cast<std::uint32_t>(QueryKind::MAX))
      .problem();
}

} // namespace sluice::messages
