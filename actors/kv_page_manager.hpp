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

private:
  void settle(const messages::PageRequest& request);
  std::vector<std::uint64_t> verify(); // the sequences with a discrepancy

  kv_page_manager_actor::pointer self_;
  kv_page_manager_config config_;
  std::unique_ptr<kv_pages> pages_;
  messages::frame_pool<messages::PageGrant> grants_;
  std::vector<std::uint64_t> waiting_; // scratch, as the next
  std::vector<flatbuffers::Offset<messages::PageDelta>> granted_;
};

kv_page_manager_actor::behavior_type kv_page_manager(
    kv_page_manager_actor::stateful_pointer<kv_page_manager_state> self,
    kv_page_manager_config config);

} // namespace sluice::actors
