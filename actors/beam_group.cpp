// SPDX-License-Identifier: Apache-2.0
#include "actors/beam_group.hpp"

#include <algorithm>
#include <utility>

#include "kernels/check.hpp"
#include "model/sequence_output.hpp"

namespace sluice::actors {
namespace {

policy::beam_rules rules_of(const messages::BeamSearch& asked,
                            std::uint32_t most_tokens) {
  return {.width = asked.width(),
          .most_tokens = most_tokens,
          .length_penalty = static_cast<double>(asked.length_penalty()),
          .early_stopping = asked.early_stopping()};
}

std::uint32_t count_of(const flatbuffers::Vector<std::uint32_t>* list) {
  return list ? list->size() : 0;
}

} // namespace

beam_group::beam_group(const messages::Work& work, const tokenizer& text,
                       stop_rules rules, std::uint32_t most_tokens)
    : text_{&text}, rules_{std::move(rules)},
      logprobs_{work.sampling()->logprobs()},
      want_logprobs_{work.sampling()->want_logprobs() || logprobs_ > 0},
      search_{rules_of(*work.beam(), most_tokens)} {
  beams_.push_back({.sequence = 0, .stops = {text, rules_}});
  for (std::uint32_t i = 1; i < sequences_for(work); ++i)
    free_.insert(i);
}

std::uint32_t beam_group::choices_for(const messages::Work& work) {
  const auto needed =
      2 * work.beam()->width() + count_of(work.stopping()->stop_tokens());
  return std::max(needed, work.sampling()->logprobs());
}

bool beam_group::take(std::uint32_t sequence,
                      const messages::TokenLogprob& odds) {
  const auto found =
      std::find_if(beams_.begin(), beams_.end(), [sequence](const auto& each) {
        return each.sequence == sequence;
      });
  if (found == beams_.end() || !odds.top())
    return false;
  found->choices.emplace();
  for (const auto* choice : *odds.top())
    found->choices->push_back({choice->token(), choice->logprob()});
  return std::all_of(beams_.begin(), beams_.end(),
                     [](const auto& each) { return each.choices.has_value(); });
}

// -- a round
// ----------------------------------------------------------------------

beam_group::verdict beam_group::decide() {
  std::vector<std::vector<policy::beam_choice>> choices;
  for (auto& each : beams_)
    choices.push_back(each.choices.value());
  const auto ends = [this](std::uint32_t parent, std::uint32_t token) {
    auto probe = beams_[parent].stops;
    return probe.push(token).reason.has_value();
  };
  const auto round = search_.advance(choices, ends);
  verdict result{.tokens = static_cast<std::uint32_t>(round.ended.size() +
                                                      round.running.size()),
                 .done = search_.done()};
  keep(round);
  if (!result.done)
    go_on(round, result);
  return result;
}

beam_group::odds_ptr beam_group::odds_of(const policy::beam_step& step) const {
  const auto& choices = *beams_[step.parent].choices;
  const auto chosen =
      std::find_if(choices.begin(), choices.end(), [&](const auto& choice) {
        return choice.token == step.token;
      });
  auto odds = std::make_shared<messages::TokenLogprobT>();
  odds->token = step.token;
  odds->logprob = odds->raw_logprob = chosen->logprob;
  const auto listed = std::min<std::size_t>(logprobs_, choices.size());
  for (std::size_t i = 0; i < listed; ++i) {
    odds->top.push_back(std::make_unique<messages::TopLogprobT>());
    odds->top.back()->token = choices[i].token;
    odds->top.back()->logprob = choices[i].logprob;
  }
  return odds;
}

beam_group::line beam_group::grown(const policy::beam_step& step) const {
  auto longer = beams_[step.parent].text;
  longer.tokens.push_back(step.token);
  if (want_logprobs_)
    longer.odds.push_back(odds_of(step));
  return longer;
}

/// The answers that are complete now, without those that others beat.
void beam_group::keep(const policy::beam_round& round) {
  for (const auto& end : round.ended)
    complete_[end.id] = grown(end.last);
  std::erase_if(complete_, [this](const auto& each) {
    return std::none_of(
        search_.best().begin(), search_.best().end(),
        [&](const auto& ranked) { return ranked.id == each.first; });
  });
}

void beam_group::go_on(const policy::beam_round& round, verdict& result) {
  free_.insert(resting_.begin(), resting_.end());
  resting_.clear();
  std::vector<beam> next;
  std::vector<bool> continued(beams_.size());
  for (const auto& step : round.running) {
    const auto& parent = beams_[step.parent];
    const bool first = !continued[step.parent];
    continued[step.parent] = true;
    const auto sequence = first ? parent.sequence : take_free();
    if (first)
      result.grown.push_back({sequence, step.token});
    else
      result.born.push_back({parent.sequence, sequence, step.token});
    next.push_back(
        {.sequence = sequence, .text = grown(step), .stops = parent.stops});
    next.back().stops.push(step.token);
  }
  for (std::size_t i = 0; i < beams_.size(); ++i)
    if (!continued[i])
      resting_.push_back(beams_[i].sequence);
  result.given_up = resting_;
  beams_ = std::move(next);
}

std::uint32_t beam_group::take_free() {
  require(!free_.empty(), "beam_group: twice the width is enough for all");
  return free_.extract(free_.begin()).value();
}

// -- the end
// ----------------------------------------------------------------------

held_answer beam_group::answer_of(const line& whole) const {
  sequence_output output{0, *text_, rules_};
  held_answer answer;
  answer.end = std::make_unique<messages::SequenceEndT>();
  answer.end->reason = messages::FinishReason::length;
  for (std::size_t i = 0; i < whole.tokens.size(); ++i) {
    std::unique_ptr<messages::TokenLogprobT> odds;
    if (want_logprobs_)
      odds = std::make_unique<messages::TokenLogprobT>(*whole.odds[i]);
    auto step = output.push(whole.tokens[i], std::move(odds));
    answer.add(std::move(step.delta));
    if (step.end) {
      answer.end->reason = *step.end;
      answer.end->stop = std::move(step.stop);
    }
  }
  answer.add(output.flush());
  answer.end->generated_tokens = output.generated_tokens();
  return answer;
}

std::vector<held_answer> beam_group::answers(std::uint32_t n) const {
  std::vector<held_answer> best;
  for (const auto& [id, score] : search_.best()) {
    if (best.size() == n)
      break;
    best.push_back(answer_of(complete_.at(id)));
    best.back().end->score = score;
    best.back().set_sequence(static_cast<std::uint32_t>(best.size() - 1));
  }
  return best;
}

} // namespace sluice::actors
