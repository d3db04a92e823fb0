// SPDX-License-Identifier: Apache-2.0
#include "model/tokenizer/merge_queue.hpp"

#include <algorithm>
#include <functional>

namespace sluice {

namespace {

void push_smallest(std::vector<std::uint32_t>& heap, std::uint32_t value) {
  heap.push_back(value);
  std::push_heap(heap.begin(), heap.end(), std::greater<>{});
}

std::uint32_t pop_smallest(std::vector<std::uint32_t>& heap) {
  std::pop_heap(heap.begin(), heap.end(), std::greater<>{});
  const auto value = heap.back();
  heap.pop_back();
  return value;
}

} // namespace

void position_queue::push(std::uint32_t position) {
  if (run_.empty() || position >= run_.back())
    run_.push_back(position);
  else
    push_smallest(late_, position);
}

std::optional<std::uint32_t> position_queue::pop() {
  const bool in_run = next_ < run_.size();
  if (!late_.empty() && (!in_run || late_.front() < run_[next_]))
    return pop_smallest(late_);
  if (in_run)
    return run_[next_++];
  run_.clear();
  next_ = 0;
  return std::nullopt;
}

void merge_queue::push(candidate entry) {
  auto& queue = queues_[entry.rank];
  queue.positions.push(entry.position);
  if (!queue.waiting)
    push_smallest(ranks_, entry.rank);
  queue.waiting = true;
}

std::optional<merge_queue::candidate> merge_queue::pop() {
  while (!ranks_.empty()) {
    const auto rank = ranks_.front();
    auto& queue = queues_[rank];
    if (const auto position = queue.positions.pop())
      return candidate{rank, *position};
    queue.waiting = false;
    pop_smallest(ranks_);
  }
  return std::nullopt;
}

} // namespace sluice
