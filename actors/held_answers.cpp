// SPDX-License-Identifier: Apache-2.0
#include "actors/held_answers.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace sluice::actors {
namespace {

constexpr std::size_t most_tokens = 256; // of a chunk

} // namespace

void held_answer::add(std::unique_ptr<messages::DeltaT> delta) {
  if (!delta)
    return;
  if (deltas.empty() || deltas.back()->tokens.size() >= most_tokens) {
    deltas.push_back(std::move(delta));
    return;
  }
  auto& last = *deltas.back();
  last.text += delta->text;
  last.tokens.insert(last.tokens.end(), delta->tokens.begin(),
                     delta->tokens.end());
  std::move(delta->logprobs.begin(), delta->logprobs.end(),
            std::back_inserter(last.logprobs));
}

void held_answer::set_sequence(std::uint32_t index) {
  for (auto& delta : deltas)
    delta->sequence = index;
  end->sequence = index;
}

void held_answers::end(std::uint32_t candidate,
                       std::unique_ptr<messages::SequenceEndT> end) {
  end->score = sums_.at(candidate) / std::max(end->generated_tokens, 1u);
  answers_.at(candidate).end = std::move(end);
}

std::vector<held_answer> held_answers::take_best(std::uint32_t n) {
  std::stable_sort(answers_.begin(), answers_.end(),
                   [](const held_answer& a, const held_answer& b) {
                     return a.end->score > b.end->score;
                   });
  answers_.resize(std::min<std::size_t>(answers_.size(), n));
  for (std::uint32_t i = 0; i < answers_.size(); ++i)
    answers_[i].set_sequence(i);
  return std::exchange(answers_, {});
}

} // namespace sluice::actors
