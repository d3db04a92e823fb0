// SPDX-License-Identifier: Apache-2.0
// The "params" object of an input row of `sluice map`.
#include <charconv>
#include <cmath>
#include <functional>
#include <limits>
#include <map>

#include "tools/cli/map_row.hpp"

namespace sluice::cli {
namespace {

using messages::SubmitT;

[[noreturn]] void refuse(std::string_view name, std::string_view rule) {
  throw client::bad_request{"params." + std::string{name} + " must be " +
                            std::string{rule}};
}

void read(const json& value, std::string_view name, float& out) {
  if (!value.is_number())
    refuse(name, "a number");
  out = value.get<float>();
}

template <class Integer>
void read(const json& value, std::string_view name, Integer& out) {
  using limits = std::numeric_limits<Integer>;
  const bool unsigned_fits =
      value.is_number_unsigned() &&
      value.get<std::uint64_t>() <= static_cast<std::uint64_t>(limits::max());
  const bool negative_fits =
      std::is_signed_v<Integer> && value.is_number_integer() &&
      !value.is_number_unsigned() &&
      value.get<std::int64_t>() >= static_cast<std::int64_t>(limits::min());
  if (!unsigned_fits && !negative_fits)
    refuse(name, "a whole number that fits its field");
  out = value.get<Integer>();
}

void read(const json& value, std::string_view name, bool& out) {
  if (!value.is_boolean())
    refuse(name, "true or false");
  out = value.get<bool>();
}

void read(const json& value, std::string_view name, std::string& out) {
  if (!value.is_string())
    refuse(name, "a string");
  out = value.get<std::string>();
}

/// A list, or one element alone.
template <class Element>
void read(const json& value, std::string_view name, std::vector<Element>& out) {
  out.clear();
  if (!value.is_array())
    return read(value, name, out.emplace_back());
  for (const auto& element : value)
    read(element, name, out.emplace_back());
}

void read_seed(const json& value, std::string_view name, SubmitT& submit) {
  std::uint64_t seed = 0;
  read(value, name, seed);
  submit.sampling->seed = seed;
}

void read_logprobs(const json& value, std::string_view name, SubmitT& submit) {
  read(value, name, submit.sampling->logprobs);
  submit.sampling->want_logprobs = true;
}

void read_prompt_logprobs(const json& value, std::string_view name,
                          SubmitT& submit) {
  read(value, name, submit.prompt_top_logprobs);
  submit.prompt_logprobs = true;
}

messages::BeamSearchT& beam_of(SubmitT& submit) {
  if (!submit.beam)
    submit.beam = std::make_unique<messages::BeamSearchT>();
  return *submit.beam;
}

void read_beams(const json& value, std::string_view name, SubmitT& submit) {
  read(value, name, beam_of(submit).width);
}

void read_length_penalty(const json& value, std::string_view name,
                         SubmitT& submit) {
  read(value, name, beam_of(submit).length_penalty);
}

/// As Hugging Face has it: true, false or "never"; or our names.
void read_early_stopping(const json& value, std::string_view name,
                         SubmitT& submit) {
  using messages::EarlyStopping;
  auto& rule = beam_of(submit).early_stopping;
  if (value == true || value == "first")
    rule = EarlyStopping::first;
  else if (value == false || value == "heuristic")
    rule = EarlyStopping::heuristic;
  else if (value == "never")
    rule = EarlyStopping::never;
  else
    refuse(name, "\"heuristic\" (or false), \"first\" (or true) or "
                 "\"never\"");
}

/// {"17": -2.5}: token ids are keys, as JSON has no other.
void read_bias(const json& value, std::string_view name, SubmitT& submit) {
  if (!value.is_object())
    refuse(name, "an object of token ids and numbers");
  submit.sampling->logit_bias.clear();
  for (const auto& [key, bias] : value.items()) {
    std::uint32_t token = 0;
    const auto* end = key.data() + key.size();
    const auto parsed = std::from_chars(key.data(), end, token);
    if (parsed.ec != std::errc{} || parsed.ptr != end || !bias.is_number())
      refuse(name, "an object of token ids and numbers");
    submit.sampling->logit_bias.emplace_back(token, bias.get<float>());
  }
}

using setter = std::function<void(const json&, std::string_view, SubmitT&)>;

template <class Member>
setter sampling(Member messages::SamplingT::*member) {
  return [member](const json& value, std::string_view name, SubmitT& submit) {
    read(value, name, (*submit.sampling).*member);
  };
}

template <class Member>
setter stopping(Member messages::StopRulesT::*member) {
  return [member](const json& value, std::string_view name, SubmitT& submit) {
    read(value, name, (*submit.stopping).*member);
  };
}

template <class Member>
setter request(Member SubmitT::*member) {
  return [member](const json& value, std::string_view name, SubmitT& submit) {
    read(value, name, submit.*member);
  };
}

const std::map<std::string, setter, std::less<>>& setters() {
  using messages::SamplingT;
  using messages::StopRulesT;
  static const std::map<std::string, setter, std::less<>> table{
      {"temperature", sampling(&SamplingT::temperature)},
      {"top_k", sampling(&SamplingT::top_k)},
      {"top_p", sampling(&SamplingT::top_p)},
      {"min_p", sampling(&SamplingT::min_p)},
      {"repetition_penalty", sampling(&SamplingT::repetition_penalty)},
      {"frequency_penalty", sampling(&SamplingT::frequency_penalty)},
      {"presence_penalty", sampling(&SamplingT::presence_penalty)},
      {"seed", read_seed},
      {"logprobs", read_logprobs},
      {"logit_bias", read_bias},
      {"max_tokens", stopping(&StopRulesT::max_tokens)},
      {"min_tokens", stopping(&StopRulesT::min_tokens)},
      {"stop", stopping(&StopRulesT::stop)},
      {"stop_tokens", stopping(&StopRulesT::stop_tokens)},
      {"ignore_eos", stopping(&StopRulesT::ignore_eos)},
      {"n", request(&SubmitT::n)},
      {"best_of", request(&SubmitT::best_of)},
      {"beams", read_beams},
      {"length_penalty", read_length_penalty},
      {"early_stopping", read_early_stopping},
      {"echo", request(&SubmitT::echo)},
      {"prompt_logprobs", read_prompt_logprobs},
      {"model", request(&SubmitT::model)},
      {"priority", request(&SubmitT::priority)},
      {"deadline_ms", request(&SubmitT::deadline_ms)},
      {"queue_timeout_ms", request(&SubmitT::queue_timeout_ms)},
      {"parse_special", request(&SubmitT::parse_special)},
  };
  return table;
}

std::string known_names() {
  std::string list;
  for (const auto& [name, set] : setters())
    list += (list.empty() ? "" : ", ") + name;
  return list;
}

} // namespace

void apply_params(const json& params, SubmitT& submit) {
  if (!params.is_object())
    throw client::bad_request{"\"params\" must be an object"};
  for (const auto& [name, value] : params.items()) {
    const auto found = setters().find(name);
    if (found == setters().end())
      throw client::bad_request{"params." + name +
                                " is unknown; known are: " + known_names()};
    found->second(value, name, submit);
  }
}

} // namespace sluice::cli
