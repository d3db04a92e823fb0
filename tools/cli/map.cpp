// SPDX-License-Identifier: Apache-2.0
// sluice map: a file of prompts in, a file of answers out.
#include <cstdio>

#include <unistd.h>

#include "tools/cli/commands.hpp"
#include "tools/cli/connection.hpp"
#include "tools/cli/exit_code.hpp"
#include "tools/cli/input_file.hpp"
#include "tools/cli/interrupt.hpp"
#include "tools/cli/map_job.hpp"
#include "tools/cli/progress_bar.hpp"

namespace sluice::cli {
namespace {

constexpr auto examples =
    "Input, a line each:  {\"custom_id\": \"a1\", \"prompt\": \"...\", "
    "\"params\": {\"max_tokens\": 80}}\n"
    "  or \"messages\": [{\"role\": \"user\", \"content\": \"...\"}] for the "
    "prompt; custom_id and params may be absent.\n"
    "Output, in the order of completion:  {\"custom_id\", \"line\", \"text\", "
    "\"finish_reason\", \"usage\", \"error\"}\n"
    "Examples:\n"
    "  sluice map --model models/pebble -i in.jsonl -o out.jsonl "
    "--temperature 0\n"
    "  zcat in.jsonl.gz | sluice map --endpoint ipc:///run/sluice/"
    "sluice-control.sock -i - -o - | jq .text\n"
    "Run the same command again after a kill: finished rows are skipped.";

struct map_flags {
  std::string input = "-";
  std::string output = "-";
  std::size_t concurrency = 32;
  std::size_t max_line_bytes = 16u << 20;
  bool quiet = false;
};

void summarise(const map_counts& counts, std::chrono::duration<double> time) {
  const auto fresh = counts.done + counts.failed;
  std::fprintf(stderr,
               "%llu rows: %llu answered, %llu failed, %llu finished before; "
               "%.1f rows/s\n",
               static_cast<unsigned long long>(counts.all()),
               static_cast<unsigned long long>(counts.done),
               static_cast<unsigned long long>(counts.failed),
               static_cast<unsigned long long>(counts.skipped),
               static_cast<double>(fresh) / std::max(time.count(), 1e-3));
}

/// @return false if Ctrl-C ended it early.
bool run_job(map_job& job, std::uint64_t rows) {
  const interrupt_guard interrupts;
  progress_bar bar{"rows"};
  while (job.step()) {
    bar.start_from(job.counts().skipped);
    bar.update(job.counts().all(), rows);
    if (interrupts.count() > 0)
      return false;
  }
  return true;
}

int map(const map_flags& flags, const request_flags& defaults,
        const connection_flags& where) {
  const input_file input{flags.input};
  result_file output{flags.output};
  connection connection{where};
  line_reader reader{input.fd(), flags.max_line_bytes};
  const auto rows = isatty(STDERR_FILENO) == 1 ? input.count_rows() : 0;
  map_job job{connection.get(), reader, output, {flags.concurrency, defaults}};
  const auto began = std::chrono::steady_clock::now();
  const bool complete = run_job(job, rows);
  if (!flags.quiet)
    summarise(job.counts(), std::chrono::steady_clock::now() - began);
  if (!complete)
    std::fputs("sluice: stopped; run the same command again to go on\n",
               stderr);
  return complete && job.counts().failed == 0 ? exit_done : exit_failed;
}

} // namespace

void add_map(CLI::App& program, int& code) {
  auto* app = program.add_subcommand(
      "map", "Run every row of a JSONL file; can be stopped and resumed");
  app->footer(examples);
  auto flags = std::make_shared<map_flags>();
  app->add_option("-i,--input", flags->input, "JSONL file; - is stdin")
      ->type_name("FILE");
  app->add_option("-o,--output", flags->output, "JSONL file; - is stdout")
      ->type_name("FILE");
  app->add_option("-j,--concurrency", flags->concurrency,
                  "Rows in flight at once; default 32")
      ->check(CLI::Range(1, 65536));
  app->add_option("--max-line", flags->max_line_bytes,
                  "Longest line of the input; longer ones fail")
      ->type_name("BYTES");
  app->add_flag("-q,--quiet", flags->quiet, "No summary at the end");
  const auto request = add_request_flags(*app);
  const auto where = add_connection_flags(*app);
  app->final_callback([=, &code] { code = map(*flags, *request, *where); });
}

} // namespace sluice::cli
