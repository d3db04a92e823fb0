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
          {"sessions", series(now.stats, "sluice_sessions")}};
}

std::string for_people(const reading& now) {
  const auto pool = series(now.stats, "sluice_kv_pages_pool");
  const auto free = series(now.stats, "sluice_kv_pages_free");
  char text[1024];
  std::snprintf(text, sizeof text,
                "sluiced %s  %s  up %llu s\n"
                "requests   %u running, %u waiting, %.0f clients\n"
                "tokens     %.1f/s generated, %.1f/s of prompts\n"
                "steps      %.1f/s, %.1f rows, %.3f ms of which %.3f ms "
                "compute\n"
                "KV pages   %.0f of %.0f in use (%.0f %%)\n",
                now.health.version.c_str(),
                std::string{to_string(now.health.state)}.c_str(),
                static_cast<unsigned long long>(now.health.uptime_ms / 1000),
                now.health.running, now.health.waiting,
                series(now.stats, "sluice_sessions"),
                now.recent.generated_per_second, now.recent.prompt_per_second,
                now.recent.steps_per_second, now.recent.rows,
                now.recent.step_seconds * 1e3, now.recent.compute_seconds * 1e3,
                pool - free, pool, pool > 0 ? (pool - free) / pool * 100 : 0.0);
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
