// SPDX-License-Identifier: Apache-2.0
#include "model/seen_tokens.hpp"

#include "kernels/check.hpp"

namespace sluice {

seen_tokens::seen_tokens(std::uint32_t vocab, std::uint32_t most)
    : entries_(vocab) {
  list_.reserve(most);
  in_prompt_.reserve(most);
}

std::uint32_t& seen_tokens::entry_of(std::int32_t token) {
  const auto id = static_cast<std::size_t>(token);
  require(token >= 0 && id < entries_.size(),
          "seen_tokens: the token is not in the vocabulary; check the ids");
  return entries_[id];
}

void seen_tokens::add(std::int32_t token, bool generated) {
  auto& entry = entry_of(token);
  if (entry == 0) {
    list_.push_back({token, 0});
    in_prompt_.push_back(0);
    entry = static_cast<std::uint32_t>(list_.size());
  }
  const auto index = entry - 1;
  auto& count = generated ? list_[index].generated : in_prompt_[index];
  ++count;
}

void seen_tokens::remove(std::int32_t token, bool generated) {
  const auto entry = entry_of(token);
  require(entry > 0,
          "seen_tokens: the token was not added; remove what add() counted");
  const auto index = entry - 1;
  auto& count = generated ? list_[index].generated : in_prompt_[index];
  require(count > 0,
          "seen_tokens: the token was not added; remove what add() counted");
  --count;
  if (list_[index].generated == 0 && in_prompt_[index] == 0)
    drop(index);
}

void seen_tokens::drop(std::size_t index) {
  entry_of(list_[index].token) = 0;
  if (index + 1 < list_.size()) {
    list_[index] = list_.back();
    in_prompt_[index] = in_prompt_.back();
    entry_of(list_[index].token) = static_cast<std::uint32_t>(index) + 1;
  }
  list_.pop_back();
  in_prompt_.pop_back();
}

} // namespace sluice
