// SPDX-License-Identifier: Apache-2.0
#include "tests/actors/restart_fixture.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "model/cpu_device.hpp"
#include "model/tokenizer/load.hpp"
#include "tests/model/engine/tiny_model.hpp"

namespace sluice::tests {
namespace {

constexpr std::uint32_t page_tokens = 8;
constexpr std::uint32_t step_tokens = 16;

std::shared_ptr<const tokenizer> text() {
  static const std::shared_ptr<const tokenizer> loaded =
      load_tokenizer(std::string{SLUICE_SOURCE_DIR} + "/tests/models/pebble");
  return loaded;
}

std::shared_ptr<const loaded_model> model() {
  static const auto made = test::tiny_model({.vocab = 768});
  return made;
}

std::shared_ptr<sluice::engine> engine_over(const loss_script_ptr& losses,
                                            const restart_shape& shape) {
  auto made = std::make_shared<sluice::engine>(
      device_source{.make = [wrap = losing(losses)] {
        return wrap(std::make_unique<cpu_device>(engine_options{}));
      }});
  made->add_lane(model(), {.kv_pages = shape.pool_pages,
                           .page_tokens = page_tokens,
                           .max_step_tokens = step_tokens,
                           .host_slots = shape.host_slots});
  return made;
}

void write(std::string& to, const messages::Delta& delta) {
  if (delta.tokens())
    for (const auto token : *delta.tokens())
      to += fmt::format("{}:{} ", delta.sequence(), token);
  if (delta.logprobs())
    for (const auto* odds : *delta.logprobs()) {
      to += fmt::format("{}@{}/{} ", odds->token(), odds->logprob(),
                        odds->raw_logprob());
      if (odds->top())
        for (const auto* other : *odds->top())
          to += fmt::format("({} {})", other->token(), other->logprob());
    }
  if (delta.prompt())
    for (std::uint32_t i = 0; i < delta.prompt()->tokens()->size(); ++i)
      to += fmt::format("[{} {} {}]", delta.prompt()->tokens()->Get(i),
                        delta.prompt()->logprobs()->Get(i),
                        delta.prompt()->ranks()->Get(i));
}

} // namespace

restart_fixture::restart_fixture(const restart_shape& shape, loss_script script)
    : losses{std::make_shared<loss_script>(std::move(script))} {
  head = keep(system.spawn(
      supervisor,
      supervisor_config{.on_end = [this](end_of_life how) { ended = how; },
                        .on_health = {}}));
  pages = keep(
      system.spawn(kv_page_manager,
                   kv_page_manager_config{.pool_pages = shape.pool_pages,
                                          .page_tokens = page_tokens,
                                          .host_slots = shape.host_slots,
                                          .most_pinned_pages = 4,
                                          .prefix_cache = shape.prefix_cache,
                                          .check_every_step = true}));
  device = keep(system.spawn(executor, engine_over(losses, shape)));
  const auto queue = keep(mock_scheduler(system, log));
  const auto meter = keep(mock_meter(system, log));
  lane = keep(system.spawn(
      batcher,
      batcher_config{
          .model = "m",
          .text = text(),
          .limits = {.context_tokens = 128,
                     .step_tokens = step_tokens,
                     .pipeline_depth = shape.pipeline_depth,
                     .page_tokens = page_tokens},
          .preemption = {.page_tokens = page_tokens,
                         .page_bytes = 1000,
                         .swap_bytes_per_second = shape.host_slots * 1e9,
                         .least_progress = 4}},
      batcher_neighbours{pages, device, keep(mock_publisher(system, log)),
                         queue, meter}));
  caf::anon_send(device, open_atom::value, std::uint32_t{0}, lane);
  caf::anon_send(head, open_atom::value, keep(mock_gateway(system, log)), queue,
                 lane);
  caf::anon_send(head, open_atom::value, device, meter);
  run();
}

void restart_fixture::admit(messages::WorkT work) {
  messages::AdmitT order;
  order.work = std::make_unique<messages::WorkT>(std::move(work));
  caf::anon_send(lane, messages::pack<messages::Admit>(order));
}

void restart_fixture::run_out(int seconds) {
  run();
  const auto busy = [this] {
    return !ended &&
           (ask<batcher_report>(lane, report_atom::value).sequences > 0 ||
            health().state == messages::HealthState::recovering);
  };
  for (int i = 0; i < 4 * seconds && busy(); ++i)
    advance(std::chrono::milliseconds{250});
}

seen_streams restart_fixture::streams() const {
  std::map<request_number, std::map<std::uint32_t, std::string>> parts;
  std::map<request_number, std::map<std::uint32_t, std::string>> texts;
  seen_streams whole;
  for (const auto& step : log->tokens) {
    if (step->deltas())
      for (const auto* each : *step->deltas()) {
        const auto& delta = *each->delta();
        write(parts[each->request()][delta.sequence()], delta);
        if (delta.text())
          texts[each->request()][delta.sequence()] += delta.text()->str();
      }
    if (step->ends())
      for (const auto* each : *step->ends())
        parts[each->request()][each->end()->sequence()] += fmt::format(
            "end {} {} {} ", static_cast<int>(each->end()->reason()),
            each->end()->generated_tokens(), each->end()->score());
    if (step->finished())
      for (const auto* each : *step->finished()) {
        const auto& used = *each->receipt();
        auto& all = whole[each->request()];
        BOOST_TEST(all.empty(), "a second end of " << each->request());
        for (const auto& [sequence, part] : parts[each->request()])
          all += part + '"' + texts[each->request()][sequence] + "\"\n";
        all += fmt::format("finished {}: {} of {}, scored {} {} {}",
                           static_cast<int>(each->reason()),
                           used.generated_tokens(), used.prompt_tokens(),
                           used.scored_tokens(), used.log_likelihood(),
                           used.likeliest_tokens());
      }
  }
  return whole;
}

std::vector<request_number> restart_fixture::failed() const {
  std::vector<request_number> all;
  for (const auto& outcome : log->outcomes)
    if (outcome->code() != messages::ErrorCode::none) {
      BOOST_TEST((outcome->code() == messages::ErrorCode::executor_failed));
      all.push_back(outcome->request());
    }
  std::sort(all.begin(), all.end());
  return all;
}

double restart_fixture::counted(const char* name) const {
  double sum = 0;
  for (const auto& sample : log->samples)
    if (std::string_view{sample.name} == name)
      sum += sample.value;
  return sum;
}

} // namespace sluice::tests
