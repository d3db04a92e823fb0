// SPDX-License-Identifier: Apache-2.0
// sluice bench: how fast a model runs here, and what the daemon adds.
#include <cstdio>

#include <unistd.h>

#include "tools/bench/daemon_bench.hpp"
#include "tools/bench/engine_bench.hpp"
#include "tools/cli/bench_commands.hpp"
#include "tools/cli/commands.hpp"
#include "tools/cli/connection.hpp"
#include "tools/cli/exit_code.hpp"
#include "tools/cli/json_output.hpp"
#include "tools/cli/output.hpp"
#include "tools/cli/progress_bar.hpp"

namespace sluice::cli {
namespace {

struct bench_report {
  bench::machine machine;
  std::vector<bench::prompt_speed> prompts;
  std::vector<bench::decode_speed> decodes;
  std::vector<bench::step_overhead> overheads;
};

void announce(const std::string& what) {
  if (isatty(STDERR_FILENO) == 1)
    std::fprintf(stderr, "measuring %s ...\n", what.c_str());
}

void measure_engine(const bench::plan& what, bench_report& report) {
  progress_bar bar{"weights", true};
  bench::engine_bench engine{
      what,
      [&bar](std::uint64_t done, std::uint64_t all) { bar.update(done, all); }};
  bar.clear();
  report.machine = engine.facts();
  engine.prompt(16); // wakes threads and fills caches
  for (const auto tokens : what.prompts) {
    announce("prompt of " + std::to_string(tokens) + " tokens");
    report.prompts.push_back(engine.prompt(tokens));
  }
  for (const auto batch : what.batches) {
    announce("decode of " + std::to_string(batch) + " sequences");
    report.decodes.push_back(engine.decode(batch));
  }
}

void measure_daemon(const bench::plan& what, bench_report& report) {
  connection_flags where;
  where.model = what.model;
  where.threads = what.threads;
  connection connection{where};
  for (const auto batch : what.batches) {
    announce("daemon with " + std::to_string(batch) + " sequences");
    report.overheads.push_back(
        bench::measure_overhead(connection.get(), what, batch));
  }
}

/// Column names of llama-batched-bench where it has them.
json to_json(const bench_report& report) {
  json out{{"model", report.machine.model},
           {"isa", report.machine.isa},
           {"n_threads", report.machine.threads},
           {"weight_bytes", report.machine.weight_bytes}};
  for (const auto& row : report.prompts)
    out["prompt"].push_back({{"pp", row.tokens},
                             {"t_pp", row.seconds},
                             {"s_pp", row.tokens_per_second}});
  for (const auto& row : report.decodes)
    out["decode"].push_back({{"b", row.batch},
                             {"tg", row.steps},
                             {"t_tg", row.seconds},
                             {"s_tg", row.tokens_per_second}});
  for (const auto& row : report.overheads)
    out["daemon"].push_back({{"b", row.batch},
                             {"steps", row.steps},
                             {"step_us", row.step_us},
                             {"compute_us", row.compute_us},
                             {"outside_us", row.outside_us},
                             {"kernels_us", row.kernels_us},
                             {"sampling_us", row.sampling_us},
                             {"idle_us", row.idle_us},
                             {"overhead_us", row.overhead_us}});
  return out;
}

template <class... Values>
std::string line(const char* format, Values... values) {
  char text[256];
  std::snprintf(text, sizeof text, format, values...);
  return text;
}

std::string for_people(const bench_report& report) {
  auto text = line("%s, %.1f MiB of weights, %s kernels, %u threads\n",
                   report.machine.model.c_str(),
                   static_cast<double>(report.machine.weight_bytes) / (1 << 20),
                   report.machine.isa.c_str(), report.machine.threads);
  for (const auto& row : report.prompts)
    text += line("prompt %5u tokens          %10.1f tokens/s\n", row.tokens,
                 row.tokens_per_second);
  for (const auto& row : report.decodes)
    text += line("decode %5u sequences       %10.1f tokens/s\n", row.batch,
                 row.tokens_per_second);
  for (const auto& row : report.overheads)
    text += line("daemon %5u sequences       %10.1f us outside the executor, "
                 "of a step of %.1f us (%llu steps)\n",
                 row.batch, row.outside_us, row.step_us,
                 static_cast<unsigned long long>(row.steps)) +
            line("%-26s       %10.1f us outside kernels (median): sampling "
                 "%.1f, between steps %.1f, the rest %.1f (means)\n",
                 "", row.overhead_us, row.sampling_us, row.idle_us,
                 row.compute_us - row.kernels_us - row.sampling_us);
  return text;
}

int run_bench(const bench::plan& what, bool as_json) {
  bench_report report;
  measure_engine(what, report);
  measure_daemon(what, report);
  print(as_json ? to_line(to_json(report)) + "\n" : for_people(report));
  return exit_done;
}

} // namespace

void add_bench(CLI::App& program, int& code) {
  auto* app = program.add_subcommand(
      "bench", "Measure a model on this machine, and the daemon's own cost");
  app->footer("Examples:\n"
              "  sluice synth --shape llama-1b --quant q4_0 -o bench.gguf\n"
              "  sluice bench --model bench.gguf --json | jq .decode\n"
              "  sluice bench kernels --ops matmul");
  auto what = std::make_shared<bench::plan>();
  app->add_option("--model", what->model,
                  "Hugging Face directory or .gguf file")
      ->type_name("PATH");
  app->add_option("-t,--threads", what->threads,
                  "Threads that compute; 0: one a core");
  app->add_option("--prompts", what->prompts,
                  "Prompt lengths in tokens; default 128,512")
      ->delimiter(',')
      ->check(CLI::Range(1, 65536));
  app->add_option("--batches", what->batches,
                  "Sequences that decode together; default 1,8,32")
      ->delimiter(',')
      ->check(CLI::Range(1, 1024));
  app->add_option("--steps", what->steps,
                  "Decode steps of a measurement; default 64")
      ->check(CLI::Range(2, 65536));
  app->add_option("--seconds", what->seconds,
                  "A measurement stops after this; default 10");
  auto as_json = std::make_shared<bool>(false);
  app->add_flag("--json", *as_json, "Print a JSON object");
  add_bench_kernels(*app, code);
  add_bench_batch(*app, code);
  add_bench_serve(*app, code);
  app->require_subcommand(0, 1);
  app->final_callback([=, &code] {
    if (!app->get_subcommands().empty())
      return;
    if (what->model.empty())
      throw CLI::RequiredError{"--model (or a subcommand)"};
    code = run_bench(*what, *as_json);
  });
}

} // namespace sluice::cli
