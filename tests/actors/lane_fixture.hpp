// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/test/unit_test.hpp>

#include "actors/batcher.hpp"
#include "actors/kv_page_manager.hpp"
#include "model/tokenizer/load.hpp"
#include "tests/support/actor_fixture.hpp"
#include "tests/support/mock_lane.hpp"
#include "tests/support/printing.hpp"

namespace sluice::tests {

using messages::ErrorCode;
using messages::FinishReason;

/// What a test says of a lane.
struct lane_shape {
  std::uint32_t pool_pages = 32;
  std::uint32_t host_slots = 0;
  bool prefix_cache = true;
};

constexpr std::uint32_t pool_pages = lane_shape{}.pool_pages;
constexpr std::uint32_t page_tokens = 8;
constexpr std::uint32_t eos = 1; // of the bundled tokenizer

/// A batcher and its page manager; the test is the executor.
struct lane_fixture : actor_fixture {
  lane_fixture() : lane_fixture{lane_shape{}} {}

  explicit lane_fixture(const lane_shape& shape) {
    pages = keep(
        system.spawn(kv_page_manager,
                     kv_page_manager_config{.pool_pages = shape.pool_pages,
                                            .page_tokens = page_tokens,
                                            .host_slots = shape.host_slots,
                                            .prefix_cache = shape.prefix_cache,
                                            .check_every_step = true}));
    lane = keep(system.spawn(
        batcher,
        batcher_config{
            .model = "m",
            .text = text,
            .limits = {.context_tokens = 128,
                       .step_tokens = 16,
                       .pipeline_depth = 2,
                       .page_tokens = page_tokens},
            .preemption = {.page_tokens = page_tokens,
                           .page_bytes = 1000,
                           .swap_bytes_per_second = shape.host_slots * 1e9,
                           .least_progress = 4}},
        batcher_neighbours{
            keep(front_of(pages)), keep(mock_executor(system, log)),
            keep(mock_publisher(system, log)),
            keep(mock_scheduler(system, log)), keep(mock_meter(system, log))}));
    run();
  }

  /// Passes questions on; while `pages_fail` answers as a guard does whose
  /// handler threw.
  kv_page_manager_actor front_of(const kv_page_manager_actor& real) {
    using question = frame<messages::PageRequest>;
    using answer = frame<messages::PageGrant>;
    return system.spawn(
        [real, fail = pages_fail](kv_page_manager_actor::pointer self)
            -> kv_page_manager_actor::behavior_type {
          return {[=](const question& news) -> caf::result<answer> {
                    if (*fail)
                      return answer{};
                    return self->delegate(real, news);
                  },
                  [=](report_atom tell) -> caf::result<ledger_report> {
                    return self->delegate(real, tell);
                  }};
        });
  }

  void admit(messages::WorkT work) {
    messages::AdmitT order;
    order.work = std::make_unique<messages::WorkT>(std::move(work));
    caf::anon_send(lane, messages::pack<messages::Admit>(order));
    run();
  }

  void stop(request_number request, FinishReason reason,
            ErrorCode code = ErrorCode::none) {
    messages::StopT order;
    order.request = request;
    order.reason = reason;
    order.code = code;
    caf::anon_send(lane, messages::pack<messages::Stop>(order));
    run();
  }

  /// Answers the oldest unanswered plan: every sampled row gives `token`.
  void answer(std::uint32_t token, ErrorCode code = ErrorCode::none,
              std::uint64_t compute_us = 0) {
    const auto plan = log->plans.at(answered++);
    messages::StepResultT result;
    result.number = plan->number();
    result.code = code;
    result.compute_us = compute_us;
    if (code == ErrorCode::none && plan->rows()) // it may only move pages
      for (const auto* row : *plan->rows()) {
        result.rows.push_back(std::make_unique<messages::RowResultT>());
        const auto length =
            row->tokens() && row->tokens()->size() ? row->tokens()->size() : 1;
        if (row->sample_from() < length)
          result.rows.back()->tokens = {token};
      }
    caf::anon_send(lane, messages::pack<messages::StepResult>(result));
    run();
  }

  /// The same with the scores that the plan asks for, as wrong as told.
  void answer_scores(std::size_t missing = 0) {
    const auto plan = log->plans.at(answered++);
    messages::StepResultT result;
    result.number = plan->number();
    for (const auto* row : *plan->rows()) {
      result.rows.push_back(std::make_unique<messages::RowResultT>());
      if (row->sample_from() < row->tokens()->size())
        result.rows.back()->tokens = {40};
      if (row->next_tokens())
        result.rows.back()->scores = scores_for(*row, missing);
    }
    caf::anon_send(lane, messages::pack<messages::StepResult>(result));
    run();
  }

  static std::unique_ptr<messages::TokenScoresT>
  scores_for(const messages::PlanRow& row, std::size_t missing) {
    auto scores = std::make_unique<messages::TokenScoresT>();
    scores->first = row.start() + row.score_from() + 1;
    scores->tokens.assign(row.next_tokens()->begin(),
                          row.next_tokens()->end() -
                              static_cast<std::ptrdiff_t>(missing));
    scores->logprobs.assign(scores->tokens.size(), -0.5f);
    scores->ranks.assign(scores->tokens.size(), 2);
    scores->ranks.front() = 1;
    return scores;
  }

  /// Tokens of the prompt whose scores a client of the request saw.
  std::vector<std::uint32_t> scored_of(request_number request) const {
    std::vector<std::uint32_t> all;
    for (const auto& step : log->tokens)
      if (step->deltas())
        for (const auto* each : *step->deltas())
          if (each->request() == request && each->delta()->prompt()) {
            const auto& scores = *each->delta()->prompt();
            BOOST_TEST(scores.piece_ends()->size() == scores.tokens()->size());
            all.insert(all.end(), scores.tokens()->begin(),
                       scores.tokens()->end());
          }
    return all;
  }

  std::size_t waiting_plans() const { return log->plans.size() - answered; }

  std::string text_of(request_number request) const {
    std::string all;
    for (const auto& step : log->tokens)
      if (step->deltas())
        for (const auto* each : *step->deltas())
          if (each->request() == request && each->delta()->text())
            all += each->delta()->text()->str();
    return all;
  }

  ledger_report ledger() {
    return ask<ledger_report>(pages, report_atom::value);
  }

  /// Free, or cached and wanted by nobody.
  std::uint32_t unused_pages() {
    const auto now = ledger();
    return now.free + now.cached;
  }

  std::shared_ptr<const tokenizer> text =
      load_tokenizer(std::string{SLUICE_SOURCE_DIR} + "/tests/models/pebble");
  heard_ptr log = std::make_shared<heard>();
  std::shared_ptr<bool> pages_fail = std::make_shared<bool>(false);
  kv_page_manager_actor pages;
  batcher_actor lane;
  std::size_t answered = 0;
};

} // namespace sluice::tests
