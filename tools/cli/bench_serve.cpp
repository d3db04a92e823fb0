// SPDX-License-Identifier: Apache-2.0
// sluice bench serve: requests at a daemon, and what their clients see.
#include <algorithm>
#include <cstdio>
#include <map>
#include <stdexcept>

#include "tools/bench/serve/load_generator.hpp"
#include "tools/bench/serve/report.hpp"
#include "tools/bench/svg_plot.hpp"
#include "tools/cli/bench_commands.hpp"
#include "tools/cli/bench_output.hpp"
#include "tools/cli/connection.hpp"
#include "tools/cli/exit_code.hpp"
#include "tools/cli/output.hpp"
#include "tools/cli/progress_bar.hpp"

namespace sluice::cli {
namespace {

struct serve_flags {
  bench::random_workload workload;
  std::string rate = "inf";
  std::string trace;
  std::string goodput;
  std::uint32_t warmups = 1;
  bench::generator_options generator;
  bool counted = false; // --requests was given
};

struct model_facts {
  std::string name;
  std::uint32_t vocabulary = 0;
};

model_facts model_of(client::client& client) {
  const auto answer = client.models();
  if (answer.models.empty())
    throw client::bad_request{"the daemon serves no model"};
  return {answer.models.front()->name, answer.models.front()->vocabulary};
}

/// Per second; 0: all at once.
double rate_of(const std::string& text) {
  if (text == "inf")
    return 0;
  std::size_t used = 0;
  double rate = 0;
  try {
    rate = std::stod(text, &used);
  } catch (const std::exception&) {
    used = 0;
  }
  if (used != text.size() || text.empty() || !(rate > 0) || rate > 1e6)
    throw client::bad_request{"--request-rate '" + text +
                              "' is neither 'inf' nor a number of requests "
                              "per second"};
  return rate;
}

bench::goodput_limits goodput_of(const std::string& text) {
  if (text.empty())
    return {};
  try {
    return bench::parse_goodput(text);
  } catch (const std::invalid_argument& error) {
    throw client::bad_request{error.what()};
  }
}

std::vector<bench::planned_request> requests_of(const serve_flags& flags,
                                                std::uint32_t vocabulary) {
  auto workload = flags.workload;
  workload.arrivals.rate = rate_of(flags.rate);
  if (flags.trace.empty())
    return bench::make_workload(workload, vocabulary);
  const auto most = flags.counted ? workload.requests : 0;
  return bench::make_workload(bench::read_trace(flags.trace, most), vocabulary,
                              workload.arrivals.seed);
}

/// Like the first requests, all at once.
void warm_up(bench::load_generator& generator,
             std::vector<bench::planned_request> requests,
             std::uint32_t count) {
  requests.resize(std::min<std::size_t>(count, requests.size()));
  for (auto& request : requests)
    request.at = 0;
  if (!requests.empty())
    generator.run(requests, [](std::size_t) {});
}

json settings_json(const serve_flags& flags, const model_facts& model,
                   std::size_t requests) {
  auto out = environment_json();
  const auto rate = rate_of(flags.rate);
  out.update(json{{"endpoint_type", "sluice"},
                  {"backend", "sluice"},
                  {"model_id", model.name},
                  {"num_prompts", requests},
                  {"request_rate", rate > 0 ? json(rate) : json("inf")},
                  {"burstiness", flags.workload.arrivals.burstiness},
                  {"max_concurrency", flags.generator.concurrency > 0
                                          ? json(flags.generator.concurrency)
                                          : json(nullptr)},
                  {"connections", flags.generator.connections},
                  {"seed", flags.workload.arrivals.seed}});
  if (flags.trace.empty())
    out.update(json{{"input_len", flags.workload.input_tokens},
                    {"output_len", flags.workload.output_tokens},
                    {"prefix_len", flags.workload.prefix_tokens}});
  else
    out["trace"] = flags.trace;
  return out;
}

/// Times to the first token and between tokens over the part of them that is
/// faster.
std::string plot_of(const std::vector<bench::request_record>& records,
                    const model_facts& model) {
  std::vector<double> ttft, itl;
  for (const auto& record : records) {
    if (record.chunks.empty())
      continue;
    ttft.push_back(record.ttft());
    for (std::size_t i = 1; i < record.chunks.size(); ++i)
      itl.push_back(record.chunks[i].at - record.chunks[i - 1].at);
  }
  bench::line_series first{"TTFT", {}}, gaps{"ITL", {}};
  for (int percent = 1; percent <= 100; ++percent) {
    first.points.emplace_back(percent, 1e3 * bench::percentile(ttft, percent));
    gaps.points.emplace_back(percent, 1e3 * bench::percentile(itl, percent));
  }
  return bench::draw_lines({"Latencies of " + model.name, environment_line()},
                           {"percentile", "milliseconds"}, {first, gaps});
}

/// The reasons of failures, each once.
void complain(const std::vector<bench::request_record>& records) {
  std::map<std::string, int> reasons;
  for (const auto& record : records)
    if (!record.success)
      ++reasons[record.error.empty() ? "no end was seen" : record.error];
  for (const auto& [text, count] : reasons)
    std::fprintf(stderr, "sluice: %d failed: %s\n", count, text.c_str());
}

int run(const serve_flags& flags, const connection_flags& where,
        const bench_output_flags& output) {
  const auto limits = goodput_of(flags.goodput);
  const auto rate = rate_of(flags.rate);
  connection connection{where};
  const auto model = model_of(connection.get());
  const auto requests = requests_of(flags, model.vocabulary);
  bench::load_generator generator{connection.options(), flags.generator};
  warm_up(generator, requests, flags.warmups);
  progress_bar bar{"requests"};
  const auto result = generator.run(
      requests, [&](std::size_t ended) { bar.update(ended, requests.size()); });
  bar.clear();
  const auto metrics =
      bench::compute_metrics(result.records, result.duration, limits);
  complain(result.records);
  if (output.as_json) {
    auto report = settings_json(flags, model, requests.size());
    report.update(bench::serve_json(metrics, result.records));
    print(to_line(report) + "\n");
  } else {
    print(bench::serve_text(metrics,
                            {flags.generator.concurrency,
                             rate > 0 ? std::optional{rate} : std::nullopt}));
  }
  if (!output.plot.empty())
    write_file(output.plot, plot_of(result.records, model));
  return metrics.failed == 0 ? exit_done : exit_failed;
}

} // namespace

void add_bench_serve(CLI::App& bench, int& code) {
  auto* app = bench.add_subcommand(
      "serve", "Send requests to a daemon and measure what its clients see");
  app->footer("Names, formulas and JSON keys are those of vllm bench serve.\n"
              "Examples:\n"
              "  sluice bench serve --model bench.gguf --requests 100 "
              "--request-rate 2\n"
              "  sluice bench serve --concurrency 32 --connections 32 "
              "--goodput ttft:500,tpot:100\n"
              "  sluice bench serve --trace BurstGPT_1.csv --requests 200");
  auto flags = std::make_shared<serve_flags>();
  auto& load = flags->workload;
  app->add_option_function<std::uint32_t>(
         "--requests",
         [flags](std::uint32_t count) {
           flags->workload.requests = count;
           flags->counted = true;
         },
         "How many; default 100, or all of the trace")
      ->check(CLI::Range(1, 10'000'000));
  app->add_option("--request-rate", flags->rate,
                  "Requests per second, or inf: all at once; default inf");
  app->add_option("--burstiness", load.arrivals.burstiness,
                  "Shape of the gamma distribution of the gaps; default 1, a "
                  "Poisson process")
      ->check(CLI::PositiveNumber);
  app->add_option("--concurrency", flags->generator.concurrency,
                  "Most requests at a time; 0: no limit")
      ->check(CLI::Range(0, 65536));
  app->add_option("--connections", flags->generator.connections,
                  "Clients with sockets of their own; default 1")
      ->check(CLI::Range(1, 1024));
  app->add_option("--input-len", load.input_tokens,
                  "Prompt tokens of each request; default 128")
      ->check(CLI::Range(1, 1 << 20));
  app->add_option("--output-len", load.output_tokens,
                  "Tokens that each request generates; default 128")
      ->check(CLI::Range(1, 1 << 20));
  app->add_option("--prefix-len", load.prefix_tokens,
                  "Tokens before the prompt that all requests share; default 0")
      ->check(CLI::Range(0, 1 << 20));
  app->add_option("--seed", load.arrivals.seed,
                  "Other prompts and arrivals; default 0");
  app->add_option("--trace", flags->trace,
                  "Arrivals and lengths from a file: .csv as BurstGPT, else "
                  "JSON lines")
      ->type_name("FILE");
  app->add_option("--goodput", flags->goodput,
                  "Milliseconds that a good request keeps: ttft:200,tpot:50");
  app->add_option("--warmups", flags->warmups,
                  "Requests that are not measured, before; default 1");
  const auto where = add_connection_flags(*app);
  const auto output = add_bench_output_flags(*app);
  app->final_callback([=, &code] { code = run(*flags, *where, *output); });
}

} // namespace sluice::cli
