// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "actors/policy/lane_schedule.hpp"
#include "messages/frame_pool.hpp"
#include "messages/lane_generated.h"

namespace sluice::actors {

/// What a plan says besides its rows.
struct plan_news {
  std::span<const std::unique_ptr<messages::SequenceStateT>> joined;
  std::span<const messages::PageDelta* const> pages;
  std::span<const std::uint64_t> left;
};

/// What a request for pages says besides its needs.
struct page_news {
  std::span<const std::uint64_t> release;
  std::uint64_t finished_plan = 0;
};

/// Builds the two frames that a batcher sends every step, in buffers that are
/// used again: steps come by the hundred a second, each with a row for every
/// sequence.
class lane_frames {
public:
  explicit lane_frames(std::uint32_t lane = 0) : lane_{lane} {}

  /// @param draft  whose rows need pages; null: none, only the news.
  /// @param plan   its number, or the next one's.
  messages::frame<messages::PageRequest>
  page_request(const policy::step_draft* draft, std::uint64_t plan,
               const page_news& news);

  messages::frame<messages::StepPlan> step_plan(const policy::step_draft& draft,
                                                const plan_news& news);

private:
  using builder = flatbuffers::FlatBufferBuilder;
  template <class T>
  using offsets = std::vector<flatbuffers::Offset<T>>;

  std::uint32_t lane_;
  messages::frame_pool<messages::PageRequest> requests_;
  messages::frame_pool<messages::StepPlan> plans_;
  offsets<messages::PageNeed> needs_; // scratch, as all below
  offsets<messages::SequenceState> joined_;
  offsets<messages::PageDelta> pages_;
  offsets<messages::PlanRow> rows_;
};

} // namespace sluice::actors
