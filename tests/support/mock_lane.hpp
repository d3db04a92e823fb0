// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <tuple>
#include <vector>

#include "actors/interfaces.hpp"

// Neighbours of the batcher and the scheduler that only write down what they
// are told.
namespace sluice::tests {

using namespace sluice::actors;

/// What the mock actors heard, in order.
struct heard {
  std::vector<frame<messages::StepPlan>> plans;
  std::vector<frame<messages::StepResult>> results;
  std::vector<std::uint64_t> attached; // lives of the device
  std::vector<frame<messages::Tokens>> tokens;
  std::vector<frame<messages::Outcome>> outcomes;
  std::vector<lane_news> news;
  std::vector<frame<messages::Admit>> admitted;
  std::vector<frame<messages::Stop>> stops;
  std::vector<request_number> accepted;
  std::vector<std::pair<request_number, messages::ErrorCode>> rejected;
  std::vector<std::pair<request_number, messages::ErrorCode>> failed;
  std::vector<std::pair<request_number, messages::FinishReason>> cancelled;
  std::vector<metric_sample> samples;
  std::vector<messages::ErrorCode> failed_all; // as the scheduler was told
};
using heard_ptr = std::shared_ptr<heard>;

inline meter_actor mock_meter(caf::actor_system& system, heard_ptr log) {
  return system.spawn(
      [log](meter_actor::pointer) -> meter_actor::behavior_type {
        return {[log](const metric_batch& batch) {
                  log->samples.insert(log->samples.end(), batch.samples.begin(),
                                      batch.samples.end());
                },
                [](report_atom) { return metric_snapshot{}; }};
      });
}

inline executor_actor mock_executor(caf::actor_system& system, heard_ptr log) {
  return system.spawn(
      [log](executor_actor::pointer) -> executor_actor::behavior_type {
        return {[log](const frame<messages::StepPlan>& plan) {
                  log->plans.push_back(plan);
                },
                [log](const frame<messages::Attach>& state) {
                  log->attached.push_back(state->life());
                },
                [](open_atom, std::uint32_t, const batcher_actor&) {},
                [](ended_atom) {},
                [](lost_atom) { return std::string{}; },
                [](renew_atom) { return std::string{}; }};
      });
}

inline batcher_actor mock_batcher(caf::actor_system& system, heard_ptr log) {
  return system.spawn(
      [log](batcher_actor::pointer) -> batcher_actor::behavior_type {
        return {[log](const frame<messages::Admit>& order) {
                  log->admitted.push_back(order);
                },
                [log](const frame<messages::Stop>& order) {
                  log->stops.push_back(order);
                },
                [](const frame<messages::PageGrant>&) {},
                [log](const frame<messages::StepResult>& result) {
                  log->results.push_back(result);
                },
                [](renew_atom, std::uint64_t) {},
                [](report_atom) { return batcher_report{}; }};
      });
}

inline publisher_actor mock_publisher(caf::actor_system& system,
                                      heard_ptr log) {
  using messages::ErrorCode;
  return system.spawn(
      [log](publisher_actor::pointer) -> publisher_actor::behavior_type {
        return {
            [](open_atom, const gateway_actor&) {},
            [](open_atom, request_number, const frame<messages::Submit>&) {},
            [](open_atom, request_number) { return std::uint32_t{0}; },
            [](reject_atom, request_number) {},
            [log](const frame<messages::Tokens>& step) {
              log->tokens.push_back(step);
            },
            [log](failed_atom, request_number request, ErrorCode code,
                  const std::string&) {
              log->failed.emplace_back(request, code);
            },
            [log](cancel_atom, request_number request,
                  messages::FinishReason reason) {
              log->cancelled.emplace_back(request, reason);
            },
            [](const session_id&, request_number,
               const frame<messages::Replay>&) {},
            [](topic_atom, const std::string&) {},
            [](tick_atom) {},
            [](report_atom) { return publisher_report{}; }};
      });
}

inline scheduler_actor mock_scheduler(caf::actor_system& system,
                                      heard_ptr log) {
  return system.spawn(
      [log](scheduler_actor::pointer) -> scheduler_actor::behavior_type {
        return {[](open_atom, const gateway_actor&) {},
                [](open_atom, std::uint32_t, const batcher_actor&) {},
                [](const frame<messages::Prepared>&) {},
                [](cancel_atom, request_number, messages::FinishReason) {},
                [log](const frame<messages::Outcome>& outcome) {
                  log->outcomes.push_back(outcome);
                },
                [log](const lane_news& news) { log->news.push_back(news); },
                [](drain_atom) { return true; },
                [log](failed_atom, messages::ErrorCode code,
                      const std::string&) { log->failed_all.push_back(code); },
                [](tick_atom) {},
                [](report_atom) { return scheduler_report{}; }};
      });
}

/// A gateway that hears verdicts only.
inline gateway_actor mock_gateway(caf::actor_system& system, heard_ptr log) {
  return system.spawn(
      [log](gateway_actor::pointer) -> gateway_actor::behavior_type {
        return {
            [](const session_id&, const frame<messages::Hello>&) {},
            [](const session_id&, const frame<messages::Submit>&) {},
            [](const session_id&, const frame<messages::Cancel>&) {},
            [](const session_id&, const frame<messages::Replay>&) {},
            [](const session_id&, const frame<messages::Query>&) {},
            [](const session_id&, const frame<messages::Lease>&) {},
            [](const session_id&, const frame<messages::Credit>&) {},
            [](vanish_atom, const session_id&) {},
            [log](accept_atom, request_number request) {
              log->accepted.push_back(request);
            },
            [log](reject_atom, request_number request, messages::ErrorCode code,
                  const std::string&,
                  std::uint32_t) { log->rejected.emplace_back(request, code); },
            [](ended_atom, request_number) {},
            [](expired_atom, request_number) {},
            [](drain_atom) {},
            [](tick_atom) {}};
      });
}

/// A prepared request of so many prompt tokens.
inline messages::WorkT work_of(request_number request,
                               std::uint32_t prompt_tokens,
                               std::uint32_t max_tokens) {
  messages::WorkT work;
  work.request = request;
  work.id = std::make_unique<messages::RequestId>(0, request);
  work.prompt.assign(prompt_tokens, 5);
  work.sampling = std::make_unique<messages::SamplingT>();
  work.stopping = std::make_unique<messages::StopRulesT>();
  work.stopping->max_tokens = max_tokens;
  return work;
}

} // namespace sluice::tests
