// SPDX-License-Identifier: Apache-2.0
#include "model/seen_tokens.hpp"

#include "kernels/check.hpp"

namespace sluice {

void seen_tokens::add(std::int32_t token, bool generated) {
  const auto [entry, fresh] = index_.try_emplace(token, list_.size());
  if (fresh) {
    list_.push_back({token, 0});
    in_prompt_.push_back(0);
  }
  auto& count =
      generated ? list_[entry->second].generated : in_prompt_[entry->second];
  ++count;
}

void seen_tokens::remove(std::int32_t token, bool generated) {
  const auto entry = index_.find(token);
  require(entry != index_.end(),
          "seen_tokens: the token was not added; remove what add() counted");
  const auto index = entry->second;
  auto& count = generated ? list_[index].generated : in_prompt_[index];
  require(count > 0,
          "seen_tokens: the token was not added; remove what add() counted");
  --count;
  if (list_[index].generated == 0 && in_prompt_[index] == 0)
    drop(index);
}

void seen_tokens::drop(std::size_t index) {
  index_.erase(list_[index].token);
  if (index + 1 < list_.size()) {
    list_[index] = list_.back();
    in_prompt_[index] = in_prompt_.back();
    index_[list_[index].token] = index;
  }
  list_.pop_back();
  in_prompt_.pop_back();
}

} // namespace sluice
