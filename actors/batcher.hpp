// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "actors/departures.hpp"
#include "actors/interfaces.hpp"
#include "actors/lane_frames.hpp"
#include "actors/lane_measures.hpp"
#include "actors/page_news.hpp"
#include "actors/policy/lane_schedule.hpp"
#include "actors/policy/page_pressure.hpp"
#include "actors/running_request.hpp"

namespace sluice::actors {

struct batcher_config {
  std::uint32_t lane = 0;
  std::string model; // as receipts name it
  std::shared_ptr<const tokenizer> text;
  policy::lane_limits limits;
  policy::preemption_rules preemption;
};

struct batcher_neighbours {
  kv_page_manager_actor pages;
  executor_actor executor;
  publisher_actor publisher;
  scheduler_actor scheduler;
  meter_actor meter;
};

/// The running sequences of one lane and its step pipeline.
///
///   admit -> draft -> PageRequest -> PageGrant -> StepPlan -> StepResult
///              ^                                                  |
///              +------------- tokens, ends, next draft -----------+
class batcher_state {
public:
  static constexpr const char* name = "batcher";

  explicit batcher_state(batcher_actor::pointer self);

  void configure(batcher_config config, batcher_neighbours neighbours);

  void admit(frame<messages::Admit> order);
  void stop(frame<messages::Stop> order);
  void granted(frame<messages::PageGrant> grant);
  void finished(frame<messages::StepResult> result);
  void renewed(std::uint64_t life);
  batcher_report report();

  /// A handler threw: the request at hand fails, or all of them if none was.
  void broken(const char* text);

private:
  /// What a plan on its way does to pages beside its rows.
  struct plan_moves {
    std::vector<std::uint64_t> sequences; // that go to host memory or return
    std::uint64_t pages = 0;              // copies too
  };

  using clock_point = caf::actor_clock::time_point;

  /// A cancelled request whose pages plans on their way may still name.
  struct freeing {
    clock_point since;
    std::uint64_t barrier = 0; // the last such plan
    bool told = false;         // the page manager has been, in a question
  };

  clock_point now() const { return self_->clock().now(); }

  // -- planning (batcher_planning.cpp)
  void plan_next();
  bool settlement_due() const;
  void bring_back();
  std::vector<page_applicant> applicants();
  void ask_for_pages(std::optional<policy::step_draft> draft,
                     std::span<const page_applicant> comers);
  bool audit_due();
  void learn_room(const messages::PageGrant& grant);
  void let_in(const messages::PageGrant& grant);
  void note_moves(const messages::PageGrant& grant);
  void send_plan(const messages::PageGrant& grant);
  std::unique_ptr<messages::SequenceStateT>
  introduce(const policy::planned_row& row);
  void relieve(const messages::PageGrant& grant, bool up_to_date);
  void drop_pages(std::uint64_t sequence);
  void note_freed();
  void await_usage(std::uint64_t request);
  bool is_alive(std::uint64_t sequence) const;

  // -- a device that was lost (batcher_restart.cpp)
  void start_over();
  void take_away(std::uint64_t sequence);
  void fail_suspects(const std::vector<std::uint64_t>& named);

  // -- results (batcher_results.cpp)
  void learn_from(const messages::StepResult& result);
  void take_rows(const messages::StepResult& result);
  void take_row(const policy::live_row& live, const messages::RowResult& row);
  void note_progress(const policy::live_row& live,
                     const messages::RowResult& row);
  bool take_scores(const policy::live_row& live,
                   const messages::RowResult& row);
  void take_token(std::uint64_t sequence, const messages::RowResult& row);
  void count_tokens(running_request& request, std::uint32_t tokens);
  void end_moves(const messages::StepResult& result);
  void tell_scheduler();

  void send_delta(std::uint64_t request,
                  std::unique_ptr<messages::DeltaT> delta);
  void give(running_request& request, std::uint32_t index,
            std::unique_ptr<messages::DeltaT> delta);

  // -- answers that are published at the end (batcher_choices.cpp)
  void take_choices(const policy::live_row& live,
                    const messages::RowResult& row);
  void grow_beams(running_request& request);
  void give_up(running_request& request, std::uint32_t index);
  void finish_search(running_request& request);
  void publish_best(running_request& request, std::vector<held_answer> best);

  // -- ends
  void end_sequence(running_request& request, std::uint32_t index,
                    messages::FinishReason reason, std::string stop);
  void retire(running_request& request, std::uint32_t index);
  void let_go(running_request& request, std::uint32_t index);
  void finish(running_request& request, messages::FinishReason reason);
  void fail(std::uint64_t request, messages::ErrorCode code,
            const std::string& text);
  void depart(running_request& request, departure gone);
  void settle(const messages::PageGrant& grant);
  void answer_lost();
  void close(std::vector<departure> settled);
  void publish();

  batcher_actor::pointer self_;
  batcher_config config_;
  batcher_neighbours to_;
  policy::lane_schedule schedule_;
  policy::page_pressure pressure_;
  departures departures_;
  std::map<std::uint64_t, std::unique_ptr<running_request>> requests_;
  std::optional<std::uint64_t> concerned_; // request being handled

  bool awaiting_grant_ = false;
  frame<messages::PageRequest> question_; // of the grant to come
  bool answer_was_lost_ = false;          // the last one
  std::optional<policy::step_draft> draft_;
  page_news pages_;                        // to tell the page manager
  std::vector<std::uint64_t> moving_;      // asked for in the grant to come
  std::vector<std::uint64_t> coming_back_; // as this
  std::vector<std::uint64_t> left_;        // to tell the executor
  std::uint64_t release_barrier_ = 0;      // plan after which pages are free
  std::uint64_t told_finished_ = 0;
  clock_point asked_at_{};                    // for pages
  clock_point oldest_since_{};                // the oldest plan could begin
  std::vector<freeing> freeing_;              // cancelled, pages not all back
  std::uint64_t next_audit_ = 0;              // plan
  std::map<std::uint64_t, plan_moves> moves_; // by plan
  bool step_failed_ = false; // what the rows at hand left in pages is wrong
  bool stalled_ = false;     // nobody got pages: ask again after a result
  std::optional<std::uint64_t> new_life_; // of the device, not begun yet

  lane_news news_;             // what the scheduler gets next
  messages::TokensT outgoing_; // what the publisher gets next
  messages::frame_pool<messages::Tokens> tokens_;
  lane_frames frames_;
  lane_measures measures_;
};

batcher_actor::behavior_type
batcher(batcher_actor::stateful_pointer<batcher_state> self,
        batcher_config config, batcher_neighbours neighbours);

} // namespace sluice::actors
