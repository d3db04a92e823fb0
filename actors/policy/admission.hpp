// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "actors/policy/fair_share.hpp"
#include "actors/policy/instant.hpp"
#include "actors/policy/service_rate.hpp"
#include "actors/policy/waiting_queue.hpp"
#include "messages/common_generated.h"

namespace sluice::policy {

/// How many pages a request must find before it starts.
enum class reserve_rule : std::uint8_t {
  full,  // all it can come to need: nobody ever waits for pages
  prompt // its prompt's, and a margin; needs a lane that preempts
};

/// What one tenant may have; 0: no limit of its own.
struct tenant_limits {
  std::uint32_t max_waiting = 0;
  std::uint32_t max_running = 0; // requests
};

/// What a lane can hold and how much may wait for it.
struct lane_capacity {
  std::uint32_t context_tokens = 0;
  std::uint32_t pool_pages = 0;
  std::uint32_t page_tokens = 16;
  std::uint32_t max_sequences = 64; // running at once
  std::uint32_t max_waiting = 4096; // requests in the queue
  std::uint64_t side_bytes = 0;     // beside KV, of all that run; 0: any
  reserve_rule reserve = reserve_rule::full;
  tenant_limits tenants;
  token_prices prices;
  std::map<std::string, double> weights; // of tenants; others: 1
};

/// What a request asks of a lane.
struct demand {
  std::uint64_t request = 0;
  std::string tenant;
  std::uint32_t prompt_tokens = 0;
  std::uint32_t max_tokens = 0;          // 0: until the context is full
  std::uint32_t sequences = 1;           // n, candidates or beams: that run
  std::uint32_t kept = 0;                // answers kept until all are there
  std::uint32_t logprobs = 0;            // entries per generated token
  std::uint64_t scores = 0;              // entries of the prompt, published
  std::int32_t priority = 0;             // higher is sooner
  std::optional<instant> deadline;       // to end by
  std::optional<instant> queue_deadline; // to begin by
};

/// Host memory that a request can come to need beside KV: its tokens and
/// their log-probabilities, of every sequence, and the scores of its prompt;
/// and of those that are kept to choose from, their text too.
std::uint64_t side_bytes(const demand& asked, std::uint32_t context_tokens);

/// Why a request is not taken.
struct refusal {
  messages::ErrorCode code = messages::ErrorCode::none;
  std::string text;
  std::uint32_t retry_after_ms = 0;
};

/// A request whose time is up, and whether it was running.
struct expiry {
  std::uint64_t request = 0;
  messages::ErrorCode code = messages::ErrorCode::none;
  bool running = false;
};

/// Where a request is.
enum class request_place : std::uint8_t { unknown, waiting, running };

/// Decides who runs on a lane: refuses what can never fit, bounds what waits,
/// reserves what a request needs before it runs.
///
/// Higher priority first; then the tenant that has had least (fair_share); then
/// first come, first served. Whoever is chosen is not overtaken while it does
/// not fit, so a large request is not starved by small ones. KV is reserved by
/// `reserve_rule`; sequences and side bytes always in full.
///
/// Under reserve_rule::prompt a request counts with its prompt's pages until
/// its first token, and the margin is a page for every running sequence, which
/// is what a page's worth of steps can take. A lane on which nothing runs takes
/// anybody.
/// No clock: time comes as an argument.
class admission {
public:
  explicit admission(lane_capacity capacity);

  /// Takes a request into the queue, or says why not.
  std::optional<refusal> offer(const demand& asked, instant now);

  /// What the lane's pool has: free pages, and cached ones that may be evicted;
  /// and how many sequences gave way and are not back: nobody starts before
  /// them. Only reserve_rule::prompt asks.
  void pool_has(std::uint32_t free_pages, std::uint32_t evictable_pages,
                std::uint32_t outside = 0) {
    available_pages_ = free_pages + evictable_pages;
    outside_ = outside;
  }

  /// Whether pool_has() and generated() change who may start.
  bool follows_pool() const {
    return capacity_.reserve == reserve_rule::prompt;
  }

  /// A running request got so many more tokens; unknown ones are ignored.
  void generated(std::uint64_t request, std::uint32_t tokens);

  /// A running request is done, with so many tokens in all; remove() follows.
  void served(std::uint64_t request, std::uint32_t tokens, instant now);

  /// Requests that may start now, in order; they count as running from here.
  std::vector<std::uint64_t> admit();

  /// Forgets a request wherever it is; returns where it was.
  request_place remove(std::uint64_t request);

  request_place place(std::uint64_t request) const;

  /// Requests whose deadline has passed. They stay until remove().
  std::vector<expiry> expired(instant now) const;

  /// When expired() can next have something to say.
  std::optional<instant> next_deadline() const;

  /// How long a waiting request has waited; zero if it does not wait.
  instant waited(std::uint64_t request, instant now) const;

  std::uint32_t waiting() const { return queue_.size(); }
  std::uint32_t running() const { return running_requests_; }
  std::uint32_t reserved_pages() const { return reserved_pages_; }
  std::uint64_t reserved_side_bytes() const { return side_bytes_; }
  const fair_share& shares() const { return shares_; }

private:
  struct entry {
    demand asked;
    std::uint32_t pages = 0; // reserved while it runs
    std::uint64_t side_bytes = 0;
    instant arrived{};
    std::uint64_t order = 0;
    std::uint32_t charged = 0; // generated tokens
    bool running = false;

    waiting_place place() const {
      return {asked.tenant, asked.priority, order, asked.request};
    }
  };

  struct tenant_use {
    std::uint32_t waiting = 0;
    std::uint32_t running = 0;
    service_rate rate;
  };

  using timer = std::set<std::pair<instant, std::uint64_t>>;

  std::optional<refusal> never_fits(const demand& asked) const;
  std::optional<refusal> too_many(const demand& asked, instant now);
  std::uint32_t reserve_of(const demand& asked) const;
  bool fits_now(const entry& e) const;
  bool pages_fit(const entry& e) const;
  std::optional<std::uint64_t> next() const;
  void start(entry& e);
  void leave_queue(const entry& e);
  void leave_lane(const entry& e);
  void release_prompt(entry& e);

  lane_capacity capacity_;
  std::unordered_map<std::uint64_t, entry> entries_;
  std::unordered_map<std::string, tenant_use> tenants_; // with requests here
  waiting_queue queue_;
  fair_share shares_;
  service_rate rate_;
  timer deadlines_;
  timer queue_deadlines_; // of those that wait
  std::uint32_t running_requests_ = 0;
  std::uint32_t running_sequences_ = 0;
  std::uint32_t reserved_pages_ = 0;
  std::uint64_t side_bytes_ = 0;
  std::uint32_t available_pages_ = 0;
  std::uint32_t outside_ = 0; // sequences that gave way
  std::uint64_t next_order_ = 0;
};

} // namespace sluice::policy
