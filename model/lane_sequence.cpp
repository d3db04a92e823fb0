// SPDX-License-Identifier: Apache-2.0
#include "model/lane_sequence.hpp"

#include "kernels/check.hpp"

#include <algorithm>
#include <string>

namespace sluice {

namespace {

std::span<const std::uint32_t>
view(const flatbuffers::Vector<std::uint32_t>* list) {
  if (!list)
    return {};
  return {list->data(), list->size()};
}

} // namespace

lane_sequence::lane_sequence(const messages::SequenceState& state,
                             const sequence_limits& limits)
    : key_{state.sequence()}, prompt_tokens_{state.prompt_tokens()},
      pool_pages_{limits.pool_pages}, pages_{limits.page_tokens} {
  try {
    sampling_ = read_sampling(state, limits.vocab);
    make_room(limits);
    adopt(state);
    set_pages(0, view(state.pages()));
  } catch (const row_error& error) {
    fault_ = error;
  }
}

// All that it can ever need: no step allocates. Untouched pages cost nothing.
void lane_sequence::make_room(const sequence_limits& limits) {
  pages_.reserve(limits.context);
  if (!sampling_.has_penalties())
    return;
  tokens_.reserve(limits.context);
  seen_ = seen_tokens{limits.vocab, std::min(limits.vocab, limits.context)};
}

/// KV that others computed is as good as its own; the penalties see its tokens.
void lane_sequence::adopt(const messages::SequenceState& state) {
  const auto known = view(state.tokens());
  if (state.computed() > known.size())
    throw row_error{messages::ErrorCode::internal,
                    "sequence " + std::to_string(key_) + ": " +
                        std::to_string(state.computed()) +
                        " positions are said to be computed and " +
                        std::to_string(known.size()) +
                        " tokens are known; give every token"};
  length_ = state.computed();
  if (sampling_.has_penalties())
    tokens_.assign(known.begin(), known.begin() + length_);
}

void lane_sequence::apply(const messages::PageDelta& delta) {
  if (fault_)
    return;
  try {
    set_pages(delta.first(), view(delta.pages()));
  } catch (const row_error& error) {
    fault_ = error;
  }
}

void lane_sequence::set_pages(std::uint32_t first,
                              std::span<const page_id> pages) {
  using messages::ErrorCode;
  const auto who = [this] { return "sequence " + std::to_string(key_); };
  for (const auto page : pages)
    if (page >= pool_pages_)
      throw row_error{ErrorCode::ledger_discrepancy,
                      who() + ": page " + std::to_string(page) +
                          " is not one of the pool's " +
                          std::to_string(pool_pages_) +
                          "; the request must be run again"};
  auto& there = on_device_.table_entries;
  there = std::min(there, first);
  if (!pages_.apply(first, pages))
    throw row_error{ErrorCode::internal,
                    who() + ": its page table would have a hole before entry " +
                        std::to_string(first) + "; send every page in order"};
}

void lane_sequence::append(std::span<const std::int32_t> tokens) {
  length_ += static_cast<std::uint32_t>(tokens.size());
  if (sampling_.has_penalties())
    tokens_.insert(tokens_.end(), tokens.begin(), tokens.end());
}

void lane_sequence::learn(std::uint32_t position, std::int32_t token) {
  if (position < tokens_.size())
    tokens_[position] = token;
}

void lane_sequence::truncate(std::uint32_t length) {
  require(length <= length_,
          "lane_sequence: it is shorter already; truncate to its length");
  if (counted_ > length)
    counts_before(length);
  if (on_device_.counted_tokens > length)
    on_device_.counted_tokens = 0;
  length_ = length;
  if (sampling_.has_penalties())
    tokens_.resize(length);
}

std::span<const token_count>
lane_sequence::counts_before(std::uint32_t position) {
  if (!sampling_.has_penalties())
    return {};
  for (; counted_ < position; ++counted_)
    seen_.add(tokens_.at(counted_), counted_ >= prompt_tokens_);
  for (; counted_ > position; --counted_)
    seen_.remove(tokens_.at(counted_ - 1), counted_ > prompt_tokens_);
  return seen_.list();
}

} // namespace sluice
