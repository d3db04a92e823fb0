// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "actors/interfaces.hpp"
#include "memory/kv_pages.hpp"
#include "messages/frame_pool.hpp"

namespace sluice::actors {

struct kv_page_manager_config {
  std::uint32_t lane = 0;
  std::uint32_t pool_pages = 0;
  std::uint32_t page_tokens = 16;
  std::uint32_t host_slots = 0;        // pages that can be swapped out
  std::uint32_t most_pinned_pages = 0; // that clients can keep
  bool prefix_cache = true;
  std::uint64_t hash_seed = 0;   // random and secret
  prefix_scope scope;            // what all its sequences have in common
  bool check_every_step = false; // the ledger's full check, for tests
};

/// Owns the ledger and the page tables of one lane.
class kv_page_manager_state {
public:
  static constexpr const char* name = "kv_page_manager";

  explicit kv_page_manager_state(kv_page_manager_actor::pointer self);

  void configure(const kv_page_manager_config& config);

  frame<messages::PageGrant> grant(frame<messages::PageRequest> request);
  ledger_report report();

  /// The books, for tests that corrupt them.
  kv_pages& pages_for_test() { return *pages_; }

private:
  using request = messages::PageRequest;

  void settle(const request& news);
  void note_progress(const request& news);
  void let_go(const request& news);
  void release(std::uint64_t sequence, page_usage used);
  void fork_siblings(const request& news);
  void admit_others(const request& news);
  std::uint32_t share_with(const messages::PageAdmission& child);
  std::uint32_t admit(const messages::PageAdmission& comer);
  void move_out(const request& news);
  void move_in(const request& news);
  void serve(const request& news);
  void refuse(const page_need& need);
  void audit(const request& news);
  void verify();
  messages::PageCounts counts_of(const kv_report& now) const;
  frame<messages::PageGrant> answer(const request& news);

  kv_page_manager_actor::pointer self_;
  kv_page_manager_config config_;
  std::unique_ptr<kv_pages> pages_;
  messages::frame_pool<messages::PageGrant> grants_;

  // What the grant at hand says; used again for every one.
  std::vector<page_delta> granted_;
  std::vector<std::uint64_t> waiting_;
  std::vector<std::uint64_t> lost_;
  std::vector<messages::PageMatch> admitted_;
  std::vector<messages::PageUsage> usage_;
  std::vector<messages::PageCopy> copies_;
  std::vector<messages::PageSwap> swaps_out_;
  std::vector<messages::PageSwap> swaps_in_;
  std::vector<std::uint64_t> no_host_room_;
  std::vector<std::uint64_t> still_swapped_;
  std::uint64_t wanted_ = 0; // pages, by those that wait
};

kv_page_manager_actor::behavior_type kv_page_manager(
    kv_page_manager_actor::stateful_pointer<kv_page_manager_state> self,
    kv_page_manager_config config);

} // namespace sluice::actors
