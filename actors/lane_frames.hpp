// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "actors/page_news.hpp"
#include "actors/policy/lane_schedule.hpp"
#include "messages/frame_pool.hpp"
#include "messages/lane_generated.h"

namespace sluice::actors {

/// What a plan says besides its rows.
struct plan_news {
  std::span<const std::unique_ptr<messages::SequenceStateT>> joined;
  std::span<const messages::PageDelta* const> pages;
  std::span<const std::uint64_t> left;
  const messages::PageGrant* moves = nullptr; // what it wants moved
};

/// A request for pages.
struct page_question {
  const policy::step_draft* draft = nullptr; // whose rows need pages, or null
  std::uint64_t plan = 0;                    // its number, or the next one's
  std::uint64_t finished_plan = 0;
  const page_news& news;
  std::span<const page_applicant> applicants;
  std::span<const std::uint64_t> living; // of an audit
  bool audited = false;
};

/// Builds the two frames that a batcher sends every step, in buffers that are
/// used again: steps come by the hundred a second, each with a row for every
/// sequence.
class lane_frames {
public:
  explicit lane_frames(std::uint32_t lane = 0) : lane_{lane} {}

  /// Swaps are left out of a question without a draft: a plan must carry them.
  messages::frame<messages::PageRequest>
  page_request(const page_question& question);

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
  offsets<messages::PageAdmission> admissions_;
  offsets<messages::SequenceState> joined_;
  offsets<messages::PageDelta> pages_;
  offsets<messages::PlanRow> rows_;
};

} // namespace sluice::actors
