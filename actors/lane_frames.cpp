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

Offset<messages::PageAdmission>
pack_admission(flatbuffers::FlatBufferBuilder& to,
               const page_applicant& comer) {
  const auto& work = *comer.work;
  const auto tokens = pack_list(to, comer.tokens);
  const auto tenant = work.tenant() ? to.CreateString(work.tenant()) : 0;
  return messages::CreatePageAdmission(
      to, comer.wish.sequence, tokens, comer.wish.most_cached,
      comer.wish.parent, tenant, work.priority(), work.keep_cached_ms(),
      work.pin(), work.unpin());
}

template <class T>
Offset<Vector<const T*>> pack_structs(flatbuffers::FlatBufferBuilder& to,
                                      std::span<const T> list) {
  return list.empty() ? 0 : to.CreateVectorOfStructs(list.data(), list.size());
}

/// The same list in another frame.
template <class T>
Offset<Vector<const T*>> copy_structs(flatbuffers::FlatBufferBuilder& to,
                                      const Vector<const T*>* list) {
  if (!list || list->size() == 0)
    return 0;
  return to.CreateVectorOfStructs(reinterpret_cast<const T*>(list->Data()),
                                  list->size());
}

} // namespace

messages::frame<messages::PageRequest>
lane_frames::page_request(const page_question& question) {
  auto& to = requests_.begin();
  const auto& news = question.news;
  needs_.clear();
  if (question.draft)
    for (const auto& row : question.draft->rows)
      needs_.push_back(messages::CreatePageNeed(to, row.sequence, row.end()));
  admissions_.clear();
  for (const auto& applicant : question.applicants)
    admissions_.push_back(pack_admission(to, applicant));
  const bool can_move = question.draft != nullptr;
  const auto needs = pack_tables(to, needs_);
  const auto release = pack_list(to, std::span{news.release});
  const auto progress = pack_structs(to, std::span{news.progress});
  const auto spoiled = pack_list(to, std::span{news.spoiled});
  const auto recompute = pack_list(to, std::span{news.recompute});
  const auto swap_out = can_move ? pack_list(to, std::span{news.swap_out}) : 0;
  const auto swap_in = can_move ? pack_list(to, std::span{news.swap_in}) : 0;
  const auto admit = pack_tables(to, admissions_);
  const auto living = pack_list(to, question.living);
  return requests_.finish(messages::CreatePageRequest(
      to, lane_, question.plan, needs, release, question.finished_plan,
      progress, spoiled, recompute, swap_out, swap_in, admit, can_move,
      question.audited, living, news.cache_lost));
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
  const auto* moves = news.moves;
  const auto swaps_out = moves ? copy_structs(to, moves->swaps_out()) : 0;
  const auto swaps_in = moves ? copy_structs(to, moves->swaps_in()) : 0;
  const auto copies = moves ? copy_structs(to, moves->copies()) : 0;
  return plans_.finish(messages::CreateStepPlan(to, lane_, draft.number, joined,
                                                pages, rows, left, swaps_out,
                                                swaps_in, copies));
}

} // namespace sluice::actors
