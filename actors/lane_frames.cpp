// SPDX-License-Identifier: Apache-2.0
#include "actors/lane_frames.hpp"

namespace sluice::actors {
namespace {

using flatbuffers::Offset;
using flatbuffers::Vector;

/// Offset 0 leaves an empty field out.
template <class T>
Offset<Vector<T>> pack_list(flatbuffers::FlatBufferBuilder& to,
                            std::span<const T> list) {
  return list.empty() ? 0 : to.CreateVector(list.data(), list.size());
}

template <class T>
Offset<Vector<Offset<T>>> pack_tables(flatbuffers::FlatBufferBuilder& to,
                                      const std::vector<Offset<T>>& list) {
  return list.empty() ? 0 : to.CreateVector(list.data(), list.size());
}

Offset<messages::PageDelta> pack_delta(flatbuffers::FlatBufferBuilder& to,
                                       const messages::PageDelta& delta) {
  const auto pages = delta.pages() ? to.CreateVector(delta.pages()->data(),
                                                     delta.pages()->size())
                                   : 0;
  return messages::CreatePageDelta(to, delta.sequence(), delta.first(), pages);
}

Offset<messages::PlanRow> pack_row(flatbuffers::FlatBufferBuilder& to,
                                   const policy::planned_row& row) {
  const auto tokens = pack_list(to, std::span{row.tokens});
  const auto next_tokens = pack_list(to, std::span{row.next_tokens});
  return messages::CreatePlanRow(to, row.sequence, row.start, tokens,
                                 row.from.plan, row.from.row,
                                 row.sampled ? row.length() - 1 : row.length(),
                                 row.score_from, next_tokens);
}

} // namespace

messages::frame<messages::PageRequest>
lane_frames::page_request(const policy::step_draft* draft, std::uint64_t plan,
                          const page_news& news) {
  auto& to = requests_.begin();
  needs_.clear();
  if (draft)
    for (const auto& row : draft->rows)
      needs_.push_back(messages::CreatePageNeed(to, row.sequence, row.end()));
  const auto needs = pack_tables(to, needs_);
  const auto release = pack_list(to, news.release);
  return requests_.finish(messages::CreatePageRequest(
      to, lane_, plan, needs, release, news.finished_plan));
}

messages::frame<messages::StepPlan>
lane_frames::step_plan(const policy::step_draft& draft, const plan_news& news) {
  auto& to = plans_.begin();
  joined_.clear();
  pages_.clear();
  rows_.clear();
  for (const auto& state : news.joined)
    joined_.push_back(messages::SequenceState::Pack(to, state.get()));
  for (const auto* delta : news.pages)
    pages_.push_back(pack_delta(to, *delta));
  for (const auto& row : draft.rows)
    rows_.push_back(pack_row(to, row));
  const auto joined = pack_tables(to, joined_);
  const auto pages = pack_tables(to, pages_);
  const auto rows = pack_tables(to, rows_);
  const auto left = pack_list(to, news.left);
  return plans_.finish(messages::CreateStepPlan(to, lane_, draft.number, joined,
                                                pages, rows, left));
}

} // namespace sluice::actors
