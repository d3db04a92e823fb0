// SPDX-License-Identifier: Apache-2.0
// sluice top: what the daemon is doing, again and again.
#include <cstdio>
#include <thread>

#include <unistd.h>

#include "tools/cli/commands.hpp"
#include "tools/cli/connection.hpp"
#include "tools/cli/exit_code.hpp"
#include "tools/cli/interrupt.hpp"
#include "tools/cli/json_output.hpp"
#include "tools/cli/output.hpp"
#include "tools/cli/series.hpp"

namespace sluice::cli {
namespace {

struct top_flags {
  double interval_seconds = 1;
  bool once = false;
  bool as_json = false;
};

/// What one line of top says.
struct reading {
  messages::HealthT health;
  messages::StatsT stats;
  activity recent;
};

/// {"active": 3, ...}
json pages_by_state(const messages::StatsT& stats) {
  json states = json::object();
  for (const auto& metric : stats.metrics)
    if (metric->name == "sluice_kv_pages") {
      const auto begin = metric->labels.find('"') + 1;
      const auto end = metric->labels.rfind('"');
      states[metric->labels.substr(begin, end - begin)] = metric->value;
    }
  return states;
}

double pages_in(const messages::StatsT& stats, std::string_view state) {
  return pages_by_state(stats).value(state, 0.0);
}

/// Part of the prompts' tokens that the cache had; 0 if there were none.
double hit_rate(const messages::StatsT& stats) {
  const auto found = series(stats, "sluice_prefix_hit_tokens_total");
  const auto all = found + series(stats, "sluice_prefix_missed_tokens_total");
  return all > 0 ? found / all : 0;
}

json reading_json(const reading& now) {
  return {{"health", to_json(now.health)},
          {"generated_tokens_per_second", now.recent.generated_per_second},
          {"prompt_tokens_per_second", now.recent.prompt_per_second},
          {"steps_per_second", now.recent.steps_per_second},
          {"step_seconds", now.recent.step_seconds},
          {"step_compute_seconds", now.recent.compute_seconds},
          {"rows_per_step", now.recent.rows},
          {"kv_pages_pool", series(now.stats, "sluice_kv_pages_pool")},
          {"kv_pages_free", series(now.stats, "sluice_kv_pages_free")},
          {"kv_pages", pages_by_state(now.stats)},
          {"prefix_hit_rate", hit_rate(now.stats)},
          {"preempted", series(now.stats, "sluice_sequences_preempted")},
          {"sessions", series(now.stats, "sluice_sessions")}};
}

std::string for_people(const reading& now) {
  const auto pool = series(now.stats, "sluice_kv_pages_pool");
  const auto free = series(now.stats, "sluice_kv_pages_free");
  const auto cached =
      pages_in(now.stats, "cached") + pages_in(now.stats, "pinned");
  const auto used = pool - free - cached;
  char text[1024];
  std::snprintf(text, sizeof text,
                "sluiced %s  %s  up %llu s\n"
                "requests   %u running, %u waiting, %.0f clients\n"
                "tokens     %.1f/s generated, %.1f/s of prompts\n"
                "steps      %.1f/s, %.1f rows, %.3f ms of which %.3f ms "
                "compute\n"
                "KV pages   %.0f of %.0f in use (%.0f %%), %.0f cached, %.0f "
                "swapped\n"
                "prompts    %.0f %% found in the cache\n"
                "gave way   %.0f sequences now, %.0f recomputed so far\n",
                now.health.version.c_str(),
                std::string{to_string(now.health.state)}.c_str(),
                static_cast<unsigned long long>(now.health.uptime_ms / 1000),
                now.health.running, now.health.waiting,
                series(now.stats, "sluice_sessions"),
                now.recent.generated_per_second, now.recent.prompt_per_second,
                now.recent.steps_per_second, now.recent.rows,
                now.recent.step_seconds * 1e3, now.recent.compute_seconds * 1e3,
                used, pool, pool > 0 ? used / pool * 100 : 0.0, cached,
                pages_in(now.stats, "swapped"), hit_rate(now.stats) * 100,
                series(now.stats, "sluice_sequences_preempted"),
                series(now.stats, "sluice_preemptions_total"));
  return text;
}

void show(const reading& now, const top_flags& flags) {
  if (flags.as_json)
    return print_line(to_line(reading_json(now)));
  const bool redraw = !flags.once && isatty(STDOUT_FILENO) == 1;
  print((redraw ? "\033[H\033[2J" : "") + for_people(now));
}

int top(const top_flags& flags, const connection_flags& where) {
  using clock = std::chrono::steady_clock;
  const std::chrono::duration<double> interval{flags.interval_seconds};
  connection connection{where};
  auto& client = connection.get();
  const interrupt_guard interrupts;
  auto before = client.stats();
  auto before_at = clock::now();
  while (interrupts.count() == 0) {
    std::this_thread::sleep_for(interval);
    auto health = client.health();
    auto stats = client.stats();
    const auto now = clock::now();
    const std::chrono::duration<double> passed = now - before_at;
    const auto recent = between(before, stats, passed.count());
    const reading current{std::move(health), std::move(stats), recent};
    show(current, flags);
    if (flags.once)
      break;
    before = current.stats;
    before_at = now;
  }
  return exit_done;
}

} // namespace

void add_top(CLI::App& program, int& code) {
  auto* app = program.add_subcommand("top", "Watch requests, tokens and pages");
  app->footer("Examples:\n  sluice top\n  sluice top --once --json");
  auto flags = std::make_shared<top_flags>();
  app->add_option("-d,--interval", flags->interval_seconds,
                  "Seconds between two readings; default 1")
      ->check(CLI::Range(0.1, 3600.0));
  app->add_flag("--once", flags->once, "One reading, then end");
  app->add_flag("--json", flags->as_json, "One JSON object per reading");
  const auto where = add_endpoint_flags(*app);
  app->final_callback([=, &code] { code = top(*flags, *where); });
}

} // namespace sluice::cli
