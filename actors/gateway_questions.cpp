// SPDX-License-Identifier: Apache-2.0
// What clients ask of the daemon itself: health, statistics, models.
#include "actors/gateway.hpp"

#include <memory>
#include <utility>

#include "actors/replies.hpp"

namespace sluice::actors {

using namespace messages;

void gateway_state::query(const session_id& from,
                          const frame<Query>& question) {
  switch (question->kind()) {
  case QueryKind::health:
    return answer_health(from, question->correlation());
  case QueryKind::stats:
    return answer_stats(from, question->correlation());
  case QueryKind::models:
    return answer_models(from, question->correlation());
  }
}

void gateway_state::answer_health(const session_id& to,
                                  std::uint64_t correlation) {
  const auto answer = [this, to, correlation](const health_report& report) {
    HealthT health;
    health.correlation = correlation;
    health.state = report.state;
    health.version = config_.version;
    health.epoch = config_.epoch;
    health.uptime_ms = report.uptime_ms;
    health.last_step_age_ms = report.last_step_age_ms;
    health.last_decision_age_ms = report.last_decision_age_ms;
    health.running = report.running;
    health.waiting = report.waiting;
    health.text = report.text;
    send(to, pack_reply<Health>(health));
  };
  const auto silence = [answer](const caf::error&) {
    answer({.state = HealthState::failing,
            .text = "the supervisor does not answer"});
  };
  self_->request(links_.supervisor, config_.report_timeout, report_atom::value)
      .then(answer, silence);
}

void gateway_state::answer_stats(const session_id& to,
                                 std::uint64_t correlation) {
  const auto answer = [this, to, correlation](const metric_snapshot& all) {
    StatsT stats;
    stats.correlation = correlation;
    for (const auto& metric : all.values) {
      auto row = std::make_unique<MetricT>();
      row->name = metric.name;
      row->labels = metric.labels;
      row->value = metric.value;
      stats.metrics.push_back(std::move(row));
    }
    send(to, pack_reply<Stats>(stats));
  };
  const auto silence = [this, to](const caf::error&) {
    send(to, refused_reply(ErrorCode::internal, "The meter does not answer."));
  };
  self_->request(links_.meter, config_.report_timeout, report_atom::value)
      .then(answer, silence);
}

void gateway_state::answer_models(const session_id& to,
                                  std::uint64_t correlation) {
  ModelsT answer;
  answer.correlation = correlation;
  for (const auto& model : config_.models)
    answer.models.push_back(std::make_unique<ModelInfoT>(model));
  send(to, pack_reply<Models>(answer));
}

} // namespace sluice::actors
