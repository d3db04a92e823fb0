// SPDX-License-Identifier: Apache-2.0
#include "actors/policy/admission.hpp"

#include <algorithm>

namespace sluice::policy {
namespace {

using messages::ErrorCode;

std::uint64_t longest(const demand& asked, const lane_capacity& lane) {
  if (asked.max_tokens == 0)
    return lane.context_tokens;
  return std::min<std::uint64_t>(std::uint64_t{asked.prompt_tokens} +
                                     asked.max_tokens,
                                 lane.context_tokens);
}

std::optional<instant> sooner(std::optional<instant> a,
                              std::optional<instant> b) {
  if (a && b)
    return std::min(*a, *b);
  return a ? a : b;
}

} // namespace

std::uint64_t admission::pages_for(const demand& asked) const {
  const auto tokens = longest(asked, capacity_);
  const auto pages =
      (tokens + capacity_.page_tokens - 1) / capacity_.page_tokens;
  return pages * asked.sequences;
}

std::optional<refusal> admission::never_fits(const demand& asked) const {
  if (asked.prompt_tokens >= capacity_.context_tokens)
    return refusal{ErrorCode::prompt_too_long,
                   "the prompt has " + std::to_string(asked.prompt_tokens) +
                       " tokens and the model's context " +
                       std::to_string(capacity_.context_tokens) +
                       ", which must also hold the answer; shorten the prompt"};
  if (asked.sequences > capacity_.max_sequences)
    return refusal{ErrorCode::never_fits,
                   "n is " + std::to_string(asked.sequences) +
                       " and the lane runs " +
                       std::to_string(capacity_.max_sequences) +
                       " sequences; lower n or raise scheduling.max_sequences"};
  if (const auto pages = pages_for(asked); pages > capacity_.pool_pages)
    return refusal{ErrorCode::never_fits,
                   "the request may need " + std::to_string(pages) +
                       " KV pages and the lane has " +
                       std::to_string(capacity_.pool_pages) +
                       "; lower max_tokens or n, or raise memory.kv_bytes"};
  return std::nullopt;
}

std::optional<refusal> admission::offer(const demand& asked, instant now) {
  if (auto refused = never_fits(asked))
    return refused;
  if (queue_.size() >= capacity_.max_waiting)
    return refusal{ErrorCode::queue_full,
                   std::to_string(queue_.size()) +
                       " requests are waiting; try again later or raise "
                       "limits.queue",
                   1000};
  if (entries_.contains(asked.request))
    return refusal{ErrorCode::internal, "request number used twice"};
  entries_[asked.request] =
      entry{asked, static_cast<std::uint32_t>(pages_for(asked)), now,
            next_order_++, false};
  enqueue(asked.request);
  return std::nullopt;
}

void admission::enqueue(std::uint64_t request) {
  const auto before = [this](std::uint64_t a, std::uint64_t b) {
    const auto& x = entries_.at(a);
    const auto& y = entries_.at(b);
    if (x.asked.priority != y.asked.priority)
      return x.asked.priority > y.asked.priority;
    return x.order < y.order;
  };
  queue_.insert(std::upper_bound(queue_.begin(), queue_.end(), request, before),
                request);
}

bool admission::fits_now(const entry& e) const {
  return running_sequences_ + e.asked.sequences <= capacity_.max_sequences &&
         reserved_pages_ + e.pages <= capacity_.pool_pages;
}

std::vector<std::uint64_t> admission::admit() {
  std::vector<std::uint64_t> started;
  for (const auto request : queue_) {
    auto& e = entries_.at(request);
    if (!fits_now(e))
      break;
    e.running = true;
    ++running_requests_;
    running_sequences_ += e.asked.sequences;
    reserved_pages_ += e.pages;
    started.push_back(request);
  }
  queue_.erase(queue_.begin(),
               queue_.begin() + static_cast<std::ptrdiff_t>(started.size()));
  return started;
}

request_place admission::remove(std::uint64_t request) {
  const auto where = place(request);
  if (where == request_place::unknown)
    return where;
  const auto& e = entries_.at(request);
  if (where == request_place::running) {
    --running_requests_;
    running_sequences_ -= e.asked.sequences;
    reserved_pages_ -= e.pages;
  } else {
    queue_.erase(std::find(queue_.begin(), queue_.end(), request));
  }
  entries_.erase(request);
  return where;
}

request_place admission::place(std::uint64_t request) const {
  const auto found = entries_.find(request);
  if (found == entries_.end())
    return request_place::unknown;
  return found->second.running ? request_place::running
                               : request_place::waiting;
}

std::vector<expiry> admission::expired(instant now) const {
  std::vector<expiry> result;
  for (const auto& [request, e] : entries_) {
    if (e.asked.deadline && *e.asked.deadline <= now)
      result.push_back({request, ErrorCode::deadline_exceeded, e.running});
    else if (!e.running && e.asked.queue_deadline &&
             *e.asked.queue_deadline <= now)
      result.push_back({request, ErrorCode::queue_timeout, false});
  }
  std::sort(result.begin(), result.end(),
            [](const auto& a, const auto& b) { return a.request < b.request; });
  return result;
}

std::optional<instant> admission::next_deadline() const {
  std::optional<instant> next;
  for (const auto& [request, e] : entries_) {
    next = sooner(next, e.asked.deadline);
    if (!e.running)
      next = sooner(next, e.asked.queue_deadline);
  }
  return next;
}

instant admission::waited(std::uint64_t request, instant now) const {
  const auto found = entries_.find(request);
  return found == entries_.end() ? instant{0} : now - found->second.arrived;
}

} // namespace sluice::policy
