// SPDX-License-Identifier: Apache-2.0
#include "actors/preparer.hpp"

#include "actors/guard.hpp"
#include "messages/request_id.hpp"

namespace sluice::actors {
namespace {

std::uint64_t random_seed() {
  return messages::request_id::random().low;
}

messages::PreparedT failure(request_number request,
                            const messages::Submit& submit, const char* text) {
  messages::PreparedT result;
  result.work = std::make_unique<messages::WorkT>();
  result.work->request = request;
  result.work->id = std::make_unique<messages::RequestId>(*submit.id());
  result.work->sampling = std::make_unique<messages::SamplingT>();
  result.work->stopping = std::make_unique<messages::StopRulesT>();
  result.code = messages::ErrorCode::internal;
  result.text = text;
  return result;
}

} // namespace

preparer_state::preparer_state(preparer_actor::pointer self) : self_{self} {}

void preparer_state::configure(std::vector<lane_profile> lanes,
                               scheduler_actor scheduler) {
  lanes_ = std::move(lanes);
  scheduler_ = std::move(scheduler);
}

void preparer_state::take(request_number request,
                          frame<messages::Submit> submit) {
  messages::PreparedT prepared;
  try {
    prepared = prepare(request, *submit, lanes_, random_seed);
  } catch (const std::exception& error) {
    prepared = failure(request, *submit, error.what());
  }
  self_->send(scheduler_, messages::pack<messages::Prepared>(prepared));
}

preparer_actor::behavior_type
preparer(preparer_actor::stateful_pointer<preparer_state> self,
         std::vector<lane_profile> lanes, scheduler_actor scheduler) {
  self->state.configure(std::move(lanes), std::move(scheduler));
  return {guarded(self, &preparer_state::take)};
}

} // namespace sluice::actors
