// SPDX-License-Identifier: Apache-2.0
#include "tests/model/cuda/moved_pages.hpp"

#include "kernels/check.hpp"
#include "memory/swap_store.hpp"
#include "messages/frame.hpp"
#include "model/cuda/cuda_cache.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <random>
#include <set>
#include <vector>

namespace sluice::test {

namespace {

class moving_caches {
public:
  explicit moving_caches(const moves_setting& setting)
      : random_{setting.seed}, slots_{setting.host_slots},
        store_{setting.shape}, swapped_{setting.shape, setting.host_slots},
        memory_{kv_store_bytes(setting.shape)}, staging_{kv_page_bytes(
                                                             setting.shape) *
                                                         setting.staging_pages},
        cache_{setting.shape, setting.host_slots, span_of(memory_),
               span_of(staging_)} {
    std::vector<std::byte> page(kv_page_bytes(setting.shape));
    for (page_id i = 0; i < setting.shape.pages; ++i) {
      for (auto& byte : page)
        byte = static_cast<std::byte>(random_());
      store_.restore_page(i, page);
    }
    in_.copy(memory_.data(), bytes(), memory_.bytes());
    in_.wait();
  }

  /// Of any order, size and repetition.
  void move_some() {
    messages::StepPlanT plan;
    for (auto left = random_() % 9; left > 0; --left)
      plan.swaps_out.push_back({some_page(), some_slot()});
    auto filled = filled_;
    for (const auto& move : plan.swaps_out)
      filled.insert(move.slot());
    const std::vector<slot_id> known{filled.begin(), filled.end()};
    for (auto left = random_() % 9; left > 0 && !known.empty(); --left)
      plan.swaps_in.push_back({some_page(), known[random_() % known.size()]});
    for (auto left = random_() % 5; left > 0; --left)
      plan.copies.push_back({some_page(), some_page()});
    move(plan);
  }

  /// All that is on the host comes back.
  void fetch_all() {
    messages::StepPlanT plan;
    for (const auto slot : filled_)
      plan.swaps_in.push_back({slot % pages(), slot});
    move(plan);
  }

  /// As a step's kernels do.
  void write_some() {
    const auto page = some_page();
    const auto byte = static_cast<int>(random_() % 256);
    const auto view = cache_.layer(0);
    const auto size =
        row_bytes(view.type, view.kv_heads * view.page_tokens * view.head_dim);
    in_.fill(view.k + page * size, byte, size);
    const auto ours = store_.layer(0);
    std::fill_n(ours.k + page * size, size, static_cast<std::byte>(byte));
  }

  /// Plans that cannot be are refused as a whole.
  void spoil() {
    messages::StepPlanT plan;
    plan.copies.push_back({0, 1});
    plan.swaps_out.push_back({0, 0});
    plan.swaps_in.push_back({0, slots_});
    const auto packed = messages::pack<messages::StepPlan>(plan);
    BOOST_CHECK_THROW(cache_.move_pages(*packed, in_), contract_violation);
  }

  void wait() {
    in_.wait();
    cache_.wait();
  }

  void check() {
    std::vector<std::byte> found(memory_.bytes());
    in_.copy(found.data(), memory_.data(), found.size());
    in_.wait();
    BOOST_TEST(std::equal(found.begin(), found.end(), bytes()));
  }

private:
  static std::span<std::byte> span_of(const cuda::device_memory& memory) {
    return {memory.data(), memory.bytes()};
  }
  const std::byte* bytes() const { return store_.layer(0).k; }
  std::uint32_t pages() const { return store_.shape().pages; }
  page_id some_page() { return static_cast<page_id>(random_() % pages()); }
  slot_id some_slot() { return static_cast<slot_id>(random_() % slots_); }

  void move(const messages::StepPlanT& plan) {
    cache_.move_pages(*messages::pack<messages::StepPlan>(plan), in_);
    for (const auto& move : plan.swaps_out) {
      swapped_.save(store_, move.page(), move.slot());
      filled_.insert(move.slot());
    }
    for (const auto& move : plan.swaps_in)
      swapped_.restore(store_, move.page(), move.slot());
    for (const auto& move : plan.copies)
      store_.copy_page(move.from(), move.to());
  }

  std::mt19937 random_;
  std::uint32_t slots_;
  kv_store store_;
  swap_store swapped_;
  std::set<slot_id> filled_;
  cuda::stream in_;
  cuda::device_memory memory_;
  cuda::device_memory staging_;
  cuda_cache cache_;
};

} // namespace

void check_page_moves(const moves_setting& setting) {
  moving_caches caches{setting};
  for (int i = 0; i < 20; ++i) {
    caches.move_some();
    caches.write_some();
    if (i % 5 == 0)
      caches.spoil();
    if (i % 8 == 7)
      caches.wait();
  }
  caches.fetch_all();
  caches.check();
  caches.wait();
}

} // namespace sluice::test
