// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "messages/frame.hpp"
#include "messages/lane_generated.h"
#include "model/lane_batch.hpp"

#include <cstdint>
#include <deque>
#include <memory>
#include <numeric>
#include <vector>

namespace sluice::test {

/// Sequences of a lane without the lane, and the batches that they make.
class some_sequences {
public:
  static constexpr std::uint32_t page_tokens = 16;

  explicit some_sequences(std::uint32_t context)
      : limits_{.page_tokens = page_tokens,
                .pool_pages = 1u << 20,
                .vocab = 100,
                .context = context},
        batch_{{.step_tokens = 64,
                .context = context,
                .vocab = limits_.vocab,
                .pool_pages = limits_.pool_pages}} {}

  /// One whose first positions have their KV: token p is p % 7. It has pages
  /// for `capacity` positions, one after the other from its key times 10,000.
  lane_sequence& add(std::uint32_t prompt, std::uint32_t computed,
                     std::uint32_t capacity, float repetition_penalty = 1) {
    messages::StepPlanT plan;
    auto state = std::make_unique<messages::SequenceStateT>();
    state->sequence = ++last_key_;
    state->prompt_tokens = prompt;
    state->computed = computed;
    for (std::uint32_t p = 0; p < computed; ++p)
      state->tokens.push_back(p % 7);
    state->pages = pages(last_key_, 0, (capacity + 15) / page_tokens);
    state->sampling = std::make_unique<messages::SamplingT>();
    state->sampling->repetition_penalty = repetition_penalty;
    plan.joined.push_back(std::move(state));
    const auto frame = messages::pack<messages::StepPlan>(plan);
    return all_.emplace_back(*frame->joined()->Get(0), limits_);
  }

  static std::vector<page_id> pages(std::uint64_t key, std::uint32_t first,
                                    std::uint32_t end) {
    std::vector<page_id> list(end - first);
    std::iota(list.begin(), list.end(),
              static_cast<page_id>(key * 10'000 + first));
    return list;
  }

  /// Replaces pages from `first` on by others.
  static void replace(lane_sequence& sequence, std::uint32_t first,
                      std::vector<page_id> by) {
    messages::StepPlanT plan;
    auto delta = std::make_unique<messages::PageDeltaT>();
    delta->first = first;
    delta->pages = std::move(by);
    plan.pages.push_back(std::move(delta));
    const auto frame = messages::pack<messages::StepPlan>(plan);
    sequence.apply(*frame->pages()->Get(0));
  }

  struct row {
    lane_sequence& sequence;
    std::uint32_t start;
    std::vector<std::int32_t> tokens = {1};
    std::uint32_t sample_from = 0;
    bool taken = false;
  };
  const lane_batch& batch(const std::vector<row>& rows) {
    batch_.clear();
    std::uint32_t index = 0;
    for (const auto& each : rows) {
      row_request request{.plan_row = index++,
                          .start = each.start,
                          .tokens = each.tokens,
                          .sample_from = each.sample_from,
                          .next_tokens = {}};
      if (each.taken)
        request.taken_from = 0;
      batch_.add(each.sequence, request);
    }
    return batch_;
  }

private:
  sequence_limits limits_;
  lane_batch batch_;
  std::deque<lane_sequence> all_;
  std::uint64_t last_key_ = 0;
};

} // namespace sluice::test
