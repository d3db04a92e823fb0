// SPDX-License-Identifier: Apache-2.0
#include "actors/policy/admission.hpp"

#include <algorithm>
#include <utility>

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

std::uint64_t pages_of(std::uint64_t tokens, const lane_capacity& lane) {
  return (tokens + lane.page_tokens - 1) / lane.page_tokens;
}

/// Pages of a request that comes to so many tokens a sequence. The sequences
/// share the full pages of the prompt, but for its last token, which each
/// computes for itself.
std::uint64_t pages_up_to(std::uint64_t tokens, const demand& asked,
                          const lane_capacity& lane) {
  const auto shared =
      (std::max(asked.prompt_tokens, 1u) - 1) / lane.page_tokens;
  const auto all = std::max<std::uint64_t>(pages_of(tokens, lane), shared);
  return shared + (all - shared) * asked.sequences;
}

std::uint64_t most_pages(const demand& asked, const lane_capacity& lane) {
  return pages_up_to(longest(asked, lane), asked, lane);
}

std::uint32_t as_ms(instant time) {
  return static_cast<std::uint32_t>(
      std::chrono::ceil<std::chrono::milliseconds>(time).count());
}

} // namespace

std::uint64_t side_bytes(const demand& asked, std::uint32_t context_tokens) {
  constexpr std::uint64_t token_bytes = 4;
  constexpr std::uint64_t entry_bytes = 16; // a log-probability and its token
  // In answers that are kept, as the objects that they are:
  constexpr std::uint64_t kept_token_bytes = 32; // with its text
  constexpr std::uint64_t kept_entry_bytes = 64;
  const auto all = longest(asked, {.context_tokens = context_tokens});
  const auto made = all - std::min<std::uint64_t>(asked.prompt_tokens, all);
  return asked.sequences *
             (all * token_bytes + made * asked.logprobs * entry_bytes) +
         asked.scores * entry_bytes +
         asked.kept * made *
             (kept_token_bytes + asked.logprobs * kept_entry_bytes);
}

admission::admission(lane_capacity capacity)
    : capacity_{std::move(capacity)}, shares_{capacity_.prices},
      available_pages_{capacity_.pool_pages} {
  for (const auto& [tenant, weight] : capacity_.weights)
    shares_.set_weight(tenant, weight);
}

std::uint32_t admission::reserve_of(const demand& asked) const {
  const auto pages = capacity_.reserve == reserve_rule::full
                         ? most_pages(asked, capacity_)
                         : pages_up_to(asked.prompt_tokens, asked, capacity_);
  return static_cast<std::uint32_t>(pages);
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
                   "n, best_of or beams are " +
                       std::to_string(asked.sequences) + " and the lane runs " +
                       std::to_string(capacity_.max_sequences) +
                       " sequences; lower them or raise "
                       "scheduling.max_sequences"};
  if (const auto pages = most_pages(asked, capacity_);
      pages > capacity_.pool_pages)
    return refusal{ErrorCode::never_fits,
                   "the request may need " + std::to_string(pages) +
                       " KV pages and the lane has " +
                       std::to_string(capacity_.pool_pages) +
                       "; lower max_tokens, n, best_of or beams, or raise "
                       "memory.kv_bytes"};
  const auto beside = side_bytes(asked, capacity_.context_tokens);
  if (capacity_.side_bytes > 0 && beside > capacity_.side_bytes)
    return refusal{ErrorCode::never_fits,
                   "the request may need " + std::to_string(beside) +
                       " bytes beside its KV and the lane has " +
                       std::to_string(capacity_.side_bytes) +
                       "; ask for fewer logprobs or prompt_logprobs, a lower "
                       "max_tokens, n, best_of or beams, or raise "
                       "memory.side_bytes"};
  return std::nullopt;
}

std::optional<refusal> admission::too_many(const demand& asked, instant now) {
  if (queue_.size() >= capacity_.max_waiting)
    return refusal{ErrorCode::queue_full,
                   std::to_string(queue_.size()) +
                       " requests are waiting; try again later or raise "
                       "limits.queue",
                   as_ms(rate_.retry_after(now))};
  const auto most = capacity_.tenants.max_waiting;
  const auto found = tenants_.find(asked.tenant);
  if (most > 0 && found != tenants_.end() && found->second.waiting >= most)
    return refusal{ErrorCode::too_many_requests,
                   std::to_string(most) +
                       " requests of this tenant are waiting; try again later "
                       "or raise tenants.max_waiting",
                   as_ms(found->second.rate.retry_after(now))};
  return std::nullopt;
}

std::optional<refusal> admission::offer(const demand& asked, instant now) {
  if (auto refused = never_fits(asked))
    return refused;
  if (auto refused = too_many(asked, now))
    return refused;
  if (entries_.contains(asked.request))
    return refusal{ErrorCode::internal, "request number used twice"};
  auto& e = entries_[asked.request];
  e = {.asked = asked,
       .pages = reserve_of(asked),
       .side_bytes = side_bytes(asked, capacity_.context_tokens),
       .arrived = now,
       .order = next_order_++};
  queue_.push(e.place());
  shares_.arrives(asked.tenant);
  ++tenants_[asked.tenant].waiting;
  if (asked.deadline)
    deadlines_.emplace(*asked.deadline, asked.request);
  if (asked.queue_deadline)
    queue_deadlines_.emplace(*asked.queue_deadline, asked.request);
  return std::nullopt;
}

// -- starts
// ---------------------------------------------------------------------

bool admission::pages_fit(const entry& e) const {
  if (capacity_.reserve == reserve_rule::full)
    return reserved_pages_ + e.pages <= capacity_.pool_pages;
  if (running_requests_ == 0)
    return true;
  if (outside_ > 0)
    return false; // who gave way comes first
  const auto margin = running_sequences_ + e.asked.sequences;
  return std::uint64_t{reserved_pages_} + e.pages + margin <= available_pages_;
}

bool admission::fits_now(const entry& e) const {
  return running_sequences_ + e.asked.sequences <= capacity_.max_sequences &&
         (capacity_.side_bytes == 0 ||
          side_bytes_ + e.side_bytes <= capacity_.side_bytes) &&
         pages_fit(e);
}

std::optional<std::uint64_t> admission::next() const {
  const auto most = capacity_.tenants.max_running;
  return queue_.next(shares_, [&](const std::string& tenant) {
    return most == 0 || tenants_.at(tenant).running < most;
  });
}

std::vector<std::uint64_t> admission::admit() {
  std::vector<std::uint64_t> started;
  while (const auto request = next()) {
    auto& e = entries_.at(*request);
    if (!fits_now(e))
      break;
    start(e);
    started.push_back(*request);
  }
  return started;
}

void admission::start(entry& e) {
  leave_queue(e);
  e.running = true;
  ++tenants_[e.asked.tenant].running;
  ++running_requests_;
  running_sequences_ += e.asked.sequences;
  reserved_pages_ += e.pages;
  side_bytes_ += e.side_bytes;
  shares_.charge_input(e.asked.tenant, e.asked.prompt_tokens);
}

void admission::leave_queue(const entry& e) {
  queue_.erase(e.place());
  shares_.leaves_queue(e.asked.tenant);
  --tenants_.at(e.asked.tenant).waiting;
  if (e.asked.queue_deadline)
    queue_deadlines_.erase({*e.asked.queue_deadline, e.asked.request});
}

// -- what running requests do
// ---------------------------------------------------

void admission::release_prompt(entry& e) {
  if (capacity_.reserve == reserve_rule::prompt)
    reserved_pages_ -= std::exchange(e.pages, 0);
}

void admission::generated(std::uint64_t request, std::uint32_t tokens) {
  const auto found = entries_.find(request);
  if (found == entries_.end() || !found->second.running || tokens == 0)
    return;
  auto& e = found->second;
  release_prompt(e); // the pool's count of free pages has it now
  e.charged += tokens;
  shares_.charge_output(e.asked.tenant, tokens);
}

void admission::served(std::uint64_t request, std::uint32_t tokens,
                       instant now) {
  const auto found = entries_.find(request);
  if (found == entries_.end() || !found->second.running)
    return;
  auto& e = found->second;
  if (tokens > e.charged)
    generated(request, tokens - e.charged);
  rate_.finished(now, queue_.size() > 0);
  auto& tenant = tenants_.at(e.asked.tenant);
  tenant.rate.finished(now, tenant.waiting > 0);
}

void admission::leave_lane(const entry& e) {
  --tenants_.at(e.asked.tenant).running;
  --running_requests_;
  running_sequences_ -= e.asked.sequences;
  reserved_pages_ -= e.pages;
  side_bytes_ -= e.side_bytes;
}

request_place admission::remove(std::uint64_t request) {
  const auto where = place(request);
  if (where == request_place::unknown)
    return where;
  const auto found = entries_.find(request);
  const auto& e = found->second;
  if (where == request_place::running)
    leave_lane(e);
  else
    leave_queue(e);
  if (e.asked.deadline)
    deadlines_.erase({*e.asked.deadline, request});
  const auto tenant = tenants_.find(e.asked.tenant);
  if (tenant->second.waiting == 0 && tenant->second.running == 0)
    tenants_.erase(tenant);
  entries_.erase(found);
  return where;
}

request_place admission::place(std::uint64_t request) const {
  const auto found = entries_.find(request);
  if (found == entries_.end())
    return request_place::unknown;
  return found->second.running ? request_place::running
                               : request_place::waiting;
}

// -- time
// -----------------------------------------------------------------------

std::vector<expiry> admission::expired(instant now) const {
  std::map<std::uint64_t, expiry> due; // a deadline before a queue timeout
  for (const auto& [when, request] : deadlines_) {
    if (when > now)
      break;
    due[request] = {request, ErrorCode::deadline_exceeded,
                    entries_.at(request).running};
  }
  for (const auto& [when, request] : queue_deadlines_) {
    if (when > now)
      break;
    due.try_emplace(request, expiry{request, ErrorCode::queue_timeout, false});
  }
  std::vector<expiry> result;
  for (const auto& [request, each] : due)
    result.push_back(each);
  return result;
}

std::optional<instant> admission::next_deadline() const {
  std::optional<instant> next;
  for (const auto* timers : {&deadlines_, &queue_deadlines_})
    if (!timers->empty() && (!next || timers->begin()->first < *next))
      next = timers->begin()->first;
  return next;
}

instant admission::waited(std::uint64_t request, instant now) const {
  const auto found = entries_.find(request);
  return found == entries_.end() ? instant{0} : now - found->second.arrived;
}

} // namespace sluice::policy
