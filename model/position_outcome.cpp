// SPDX-License-Identifier: Apache-2.0
#include "model/position_outcome.hpp"

namespace sluice {

namespace {

std::string non_finite_text(std::uint32_t position) {
  return "the logits of position " + std::to_string(position) +
         " are not finite; check the model's files and their type";
}

void add_score(row_answer& answer, const batch_row& row, std::uint32_t index,
               const position_outcome& from) {
  auto& scores = answer.scores;
  if (scores.tokens.empty())
    scores.first = row.position_of(index) + 1;
  scores.tokens.push_back(
      static_cast<std::uint32_t>(row.next_tokens[index - row.first_wanted]));
  scores.logprobs.push_back(from.score.logprob);
  scores.ranks.push_back(static_cast<std::uint32_t>(from.score.rank));
  scores.top_count = static_cast<std::uint32_t>(from.score.top_count);
  for (const auto& [token, logprob] : from.top) {
    scores.top_tokens.push_back(static_cast<std::uint32_t>(token));
    scores.top_logprobs.push_back(logprob);
  }
}

void add_token(row_answer& answer, const batch_row& row,
               const position_outcome& from) {
  const auto& result = from.result;
  answer.tokens.push_back(static_cast<std::uint32_t>(result.token));
  if (!row.sequence->sampling().want_logprobs)
    return;
  const auto count = static_cast<std::uint32_t>(result.top_count);
  answer.odds.push_back({result.logprob, result.raw_logprob,
                         static_cast<std::uint32_t>(answer.top.size()), count});
  answer.top.insert(answer.top.end(), from.top.begin(),
                    from.top.begin() + count);
}

} // namespace

void add_outcome(row_answer& answer, const batch_row& row, std::uint32_t index,
                 const position_outcome& from) {
  using messages::ErrorCode;
  const bool given = row.is_scored(index);
  const auto status = given ? from.score.status : from.result.status;
  if (!from.error.empty())
    answer.fail(ErrorCode::internal, from.error);
  else if (status == sample_status::non_finite)
    answer.fail(ErrorCode::numeric_failure,
                non_finite_text(row.position_of(index)));
  else if (status == sample_status::nothing_allowed)
    answer.fail(ErrorCode::invalid_argument,
                "logit_bias forbids every token; allow at least one");
  else if (given)
    add_score(answer, row, index, from);
  else
    add_token(answer, row, from);
}

} // namespace sluice
