// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "actors/policy/instant.hpp"
#include "messages/common_generated.h"

namespace sluice::policy {

/// What a lane can hold and how much may wait for it.
struct lane_capacity {
  std::uint32_t context_tokens = 0;
  std::uint32_t pool_pages = 0;
  std::uint32_t page_tokens = 16;
  std::uint32_t max_sequences = 64; // running at once
  std::uint32_t max_waiting = 4096; // requests in the queue
};

/// What a request asks of a lane.
struct demand {
  std::uint64_t request = 0;
  std::uint32_t prompt_tokens = 0;
  std::uint32_t max_tokens = 0; // 0: until the context is full
  std::uint32_t sequences = 1;
  std::int32_t priority = 0;             // higher is sooner
  std::optional<instant> deadline;       // to end by
  std::optional<instant> queue_deadline; // to begin by
};

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
/// reserves the most pages that a request can come to need before it runs, so
/// that running sequences never wait for each other's pages.
///
/// Higher priority first, then first come, first served; the head of the queue
/// is never overtaken, so a large request is not starved by small ones.
/// No clock: time comes as an argument.
class admission {
public:
  explicit admission(lane_capacity capacity) : capacity_{capacity} {}

  /// Takes a request into the queue, or says why not.
  std::optional<refusal> offer(const demand& asked, instant now);

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

  std::uint32_t waiting() const {
    return static_cast<std::uint32_t>(queue_.size());
  }
  std::uint32_t running() const { return running_requests_; }
  std::uint32_t reserved_pages() const { return reserved_pages_; }

private:
  struct entry {
    demand asked;
    std::uint32_t pages = 0;
    instant arrived{};
    std::uint64_t order = 0;
    bool running = false;
  };

  std::optional<refusal> never_fits(const demand& asked) const;
  std::uint64_t pages_for(const demand& asked) const;
  bool fits_now(const entry& e) const;
  void enqueue(std::uint64_t request);

  lane_capacity capacity_;
  std::unordered_map<std::uint64_t, entry> entries_;
  std::vector<std::uint64_t> queue_; // by priority, then order
  std::uint32_t running_requests_ = 0;
  std::uint32_t running_sequences_ = 0;
  std::uint32_t reserved_pages_ = 0;
  std::uint64_t next_order_ = 0;
};

} // namespace sluice::policy
