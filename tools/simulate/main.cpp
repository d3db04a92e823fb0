// SPDX-License-Identifier: Apache-2.0
// sluice-simulate: the daemon's policies on a virtual clock.
#include <chrono>
#include <cstdio>
#include <exception>

#include "tools/cli/exit_code.hpp"
#include "tools/cli/progress_bar.hpp"
#include "tools/simulate/flags.hpp"
#include "tools/simulate/report.hpp"

namespace {

using namespace sluice;

int run(const simulate::flags& wanted) {
  using clock = std::chrono::steady_clock;
  const auto settings = simulate::settings_of(wanted);
  const auto began = clock::now();
  cli::progress_bar bar{"requests"};
  const auto total = simulate::requests_of(wanted);
  const auto counts =
      simulate::simulate_all(settings, simulate::arrivals_of(wanted),
                             [&](auto done) { bar.update(done, total); });
  bar.clear();
  const auto report = simulate::as_json(settings, counts, clock::now() - began);
  const auto text =
      wanted.as_json ? report.dump() + "\n" : simulate::as_text(report);
  std::fputs(text.c_str(), stdout);
  return cli::exit_done;
}

} // namespace

int main(int argc, char** argv) {
  CLI::App app{
      "Predict latency and throughput of sluiced under a load: its own "
      "policies on a virtual clock, with steps that take what a cost "
      "model says.",
      "sluice-simulate"};
  app.footer(
      "Example:\n"
      "  sluice bench batch --model m.gguf --pp 16 --json > short.json\n"
      "  sluice bench batch --model m.gguf --pp 1024 --b 1,4,16 --json > "
      "long.json\n"
      "  sluice-simulate --bench short.json long.json --request-rate 20 "
      "--requests 10000 "
      "--input-len 512 --output-len 128");
  simulate::flags wanted;
  simulate::add_flags(app, wanted);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? cli::exit_done : cli::exit_bad_usage;
  }
  try {
    return run(wanted);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "sluice-simulate: %s\n", error.what());
    return cli::exit_bad_usage;
  }
}
