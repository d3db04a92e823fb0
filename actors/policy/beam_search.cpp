// SPDX-License-Identifier: Apache-2.0
#include "actors/policy/beam_search.hpp"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "kernels/check.hpp"

namespace sluice::policy {
namespace {

bool comes_before(const beam_step& a, const beam_step& b) {
  return std::tuple{-a.sum, a.parent, a.token} <
         std::tuple{-b.sum, b.parent, b.token};
}

bool ranks_higher(const ranked_beam& a, const ranked_beam& b) {
  return std::tuple{-a.score, a.id} < std::tuple{-b.score, b.id};
}

} // namespace

beam_search::beam_search(const beam_rules& rules) : rules_{rules} {
  require(rules.width > 0 && rules.most_tokens > 0,
          "beam_search: width and most_tokens must be above 0");
}

std::vector<beam_step>
beam_search::expand(std::span<const std::vector<beam_choice>> choices) const {
  std::vector<beam_step> all;
  for (std::uint32_t parent = 0; parent < running(); ++parent)
    for (const auto& [token, logprob] : choices[parent])
      all.push_back(
          {parent, token, sums_[parent] + static_cast<double>(logprob)});
  std::sort(all.begin(), all.end(), comes_before);
  return all;
}

beam_round
beam_search::advance(std::span<const std::vector<beam_choice>> choices,
                     const beam_end_test& ends) {
  require(choices.size() == running() && !done(),
          "beam_search: give the choices of every running beam");
  ++tokens_;
  beam_round round;
  const auto all = expand(choices);
  for (std::size_t rank = 0; rank < all.size(); ++rank) {
    if (rank >= rules_.width && round.running.size() == rules_.width)
      break;
    if (!ends(all[rank].parent, all[rank].token)) {
      if (round.running.size() < rules_.width)
        round.running.push_back(all[rank]);
    } else if (rank < rules_.width) {
      complete(all[rank], round);
    }
  }
  const bool enough = is_enough(round.running);
  if (!enough && tokens_ == rules_.most_tokens)
    for (const auto& last : round.running)
      complete(last, round);
  if (enough || tokens_ == rules_.most_tokens)
    round.running.clear();
  sums_.clear();
  for (const auto& step : round.running)
    sums_.push_back(step.sum);
  return round;
}

void beam_search::complete(const beam_step& last, beam_round& round) {
  const ranked_beam answer{next_id_++, score(last.sum, tokens_)};
  round.ended.push_back({answer.id, last});
  best_.insert(
      std::upper_bound(best_.begin(), best_.end(), answer, ranks_higher),
      answer);
  if (best_.size() > rules_.width)
    best_.pop_back();
}

double beam_search::score(double sum, std::uint32_t tokens) const {
  return sum / std::pow(static_cast<double>(tokens), rules_.length_penalty);
}

bool beam_search::is_enough(const std::vector<beam_step>& running) const {
  using messages::EarlyStopping;
  if (running.empty())
    return true;
  if (best_.size() < rules_.width)
    return false;
  if (rules_.early_stopping == EarlyStopping::first)
    return true;
  // Sums only fall; what divides them rises with the length, or falls.
  const bool longest = rules_.early_stopping == EarlyStopping::never &&
                       rules_.length_penalty > 0;
  const auto attainable =
      score(running.front().sum, longest ? rules_.most_tokens : tokens_);
  return best_.back().score >= attainable;
}

} // namespace sluice::policy
