// SPDX-License-Identifier: Apache-2.0
#include "tools/client/completion.hpp"

#include <algorithm>

namespace sluice::client {

void append(messages::TokenScoresT& all, const messages::TokenScoresT& more) {
  const auto join = [](auto& to, const auto& from) {
    to.insert(to.end(), from.begin(), from.end());
  };
  if (all.tokens.empty())
    all.first = more.first;
  const auto bytes_before = static_cast<std::uint32_t>(all.pieces.size());
  join(all.tokens, more.tokens);
  join(all.logprobs, more.logprobs);
  join(all.ranks, more.ranks);
  all.top_count = more.top_count;
  join(all.top_tokens, more.top_tokens);
  join(all.top_logprobs, more.top_logprobs);
  join(all.pieces, more.pieces);
  for (const auto end : more.piece_ends)
    all.piece_ends.push_back(bytes_before + end);
}

void completion::take(const messages::Chunk& chunk) {
  if (const auto* delta = chunk.body_as_Delta())
    add(*delta);
  else if (const auto* retract = chunk.body_as_Retract())
    withdraw(*retract);
  else if (const auto* end = chunk.body_as_SequenceEnd())
    close(*end);
}

void completion::add(const messages::Delta& delta) {
  auto& sequence = sequences_[delta.sequence()];
  if (const auto* text = delta.text())
    sequence.text += text->string_view();
  if (const auto* tokens = delta.tokens())
    sequence.tokens.insert(sequence.tokens.end(), tokens->begin(),
                           tokens->end());
  if (const auto* logprobs = delta.logprobs())
    for (const auto* entry : *logprobs)
      entry->UnPackTo(&sequence.logprobs.emplace_back());
  if (const auto* scores = delta.prompt()) {
    messages::TokenScoresT more;
    scores->UnPackTo(&more);
    append(sequence.prompt, more);
  }
}

void completion::withdraw(const messages::Retract& retract) {
  auto& sequence = sequences_[retract.sequence()];
  const auto shorten = [](auto& list, std::uint64_t size) {
    if (size < list.size())
      list.erase(list.begin() + static_cast<std::ptrdiff_t>(size), list.end());
  };
  shorten(sequence.text, retract.from_byte());
  shorten(sequence.tokens, retract.from_token());
  shorten(sequence.logprobs, retract.from_token());
}

void completion::close(const messages::SequenceEnd& end) {
  auto& sequence = sequences_[end.sequence()];
  sequence.reason = end.reason();
  sequence.score = end.score();
  if (const auto* stop = end.stop())
    sequence.stop = stop->str();
}

} // namespace sluice::client
