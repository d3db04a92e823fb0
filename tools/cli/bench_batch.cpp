// SPDX-License-Identifier: Apache-2.0
// sluice bench batch: prompts and decoding of a batch, on the engine alone.
#include <cstdio>

#include <unistd.h>

#include "memory/kv_layout.hpp"
#include "tools/bench/batch_bench.hpp"
#include "tools/bench/svg_plot.hpp"
#include "tools/cli/bench_commands.hpp"
#include "tools/cli/bench_output.hpp"
#include "tools/cli/exit_code.hpp"
#include "tools/cli/isa_flag.hpp"
#include "tools/cli/model_types.hpp"
#include "tools/cli/output.hpp"
#include "tools/cli/progress_bar.hpp"

namespace sluice::cli {
namespace {

/// On one line that goes away.
void announce(const std::string& what) {
  if (isatty(STDERR_FILENO) == 1)
    std::fprintf(stderr, "\r\033[Kmeasuring %s\r", what.c_str());
}

bench::batch_report measure(const bench::batch_plan& plan) {
  progress_bar bar{"weights", true};
  auto report = bench::measure_batches(
      plan,
      [&bar](std::uint64_t done, std::uint64_t all) {
        done < all ? bar.update(done, all) : bar.clear();
      },
      announce);
  if (isatty(STDERR_FILENO) == 1)
    std::fputs("\033[K", stderr);
  return report;
}

/// Of sums: a CPU always has the strict one.
const char* mode_of(const bench::batch_plan& plan) {
  return plan.gpu && !plan.gpu->strict ? "fast" : "strict";
}

std::string roofline_text(const bench::batch_report& report) {
  const auto& limits = *report.limits;
  auto text = line("Of what the GPU showed it can do (%.0f GB/s, bf16 %.0f "
                   "TFLOPS, int8 %.0f TOPS):\n",
                   limits.read / 1e9, limits.bf16 / 1e12, limits.int8 / 1e12);
  for (const auto& row : report.rows)
    text +=
        line("  B %u: prompts %.0f%%, decoding %.0f%%, both %.0f%%; %.1f "
             "generated tokens/s over both; idle between decodes %.1f%%\n",
             row.batch, row.prompt_part() * 100, row.decode_part() * 100,
             row.total_part() * 100, row.output_speed(), row.idle_part * 100);
  return text;
}

/// As llama-batched-bench prints it, with the spread of decoding behind.
std::string for_people(const bench::batch_plan& plan,
                       const bench::batch_report& report) {
  auto text =
      line("%s, %.1f MiB of weights, %s kernels, %u threads, %s mode\n",
           report.where.model.c_str(),
           static_cast<double>(report.where.weight_bytes) / (1 << 20),
           report.where.isa.c_str(), report.where.threads, mode_of(plan));
  text += "|    PP |     TG |    B |   N_KV |   T_PP s | S_PP t/s |   T_TG s | "
          "S_TG t/s |      T s |    S t/s | +- TG |\n"
          "|-------|--------|------|--------|----------|----------|----------|-"
          "---------|----------|----------|-------|\n";
  for (const auto& row : report.rows)
    text += line("|%6u | %6u | %4u | %6u | %8.3f | %8.2f | %8.3f | %8.2f | "
                 "%8.3f | %8.2f | %4.1f%% |\n",
                 row.prompt_tokens, row.decode_tokens, row.batch,
                 row.kv_tokens(), row.prompt_seconds.median, row.prompt_speed(),
                 row.decode_seconds.median, row.decode_speed(),
                 row.total_seconds(), row.total_speed(),
                 100 * row.decode_seconds.mad / row.decode_seconds.median);
  if (report.limits)
    text += roofline_text(report);
  return text;
}

json row_json(const bench::batch_row& row, bool on_gpu) {
  json out{{"pp", row.prompt_tokens},
           {"tg", row.decode_tokens},
           {"pl", row.batch}, // as llama-batched-bench calls it
           {"b", row.batch},
           {"n_kv", row.kv_tokens()},
           {"t_pp", row.prompt_seconds.median},
           {"speed_pp", row.prompt_speed()},
           {"t_tg", row.decode_seconds.median},
           {"speed_tg", row.decode_speed()},
           {"t", row.total_seconds()},
           {"speed", row.total_speed()},
           {"t_pp_spread", summary_json(row.prompt_seconds)},
           {"t_tg_spread", summary_json(row.decode_seconds)}};
  if (on_gpu)
    out.update(json{{"part_pp", row.prompt_part()},
                    {"part_tg", row.decode_part()},
                    {"part", row.total_part()},
                    {"idle_tg", row.idle_part},
                    {"speed_output", row.output_speed()}});
  return out;
}

json report_json(const bench::batch_plan& plan,
                 const bench::batch_report& report) {
  auto out = environment_json();
  out.update(json{{"model", report.where.model},
                  {"isa", report.where.isa},
                  {"n_threads", report.where.threads},
                  {"weight_bytes", report.where.weight_bytes},
                  {"mode", mode_of(plan)},
                  {"kv_type", kv_type_name(plan.kv_type)},
                  {"step_tokens", plan.step_tokens},
                  {"rounds", plan.rounds},
                  {"rows", json::array()}});
  if (report.limits)
    out["roofline"] = {{"read_gb_s", report.limits->read / 1e9},
                       {"bf16_tflops", report.limits->bf16 / 1e12},
                       {"int8_tops", report.limits->int8 / 1e12}};
  for (const auto& row : report.rows)
    out["rows"].push_back(row_json(row, report.limits.has_value()));
  return out;
}

std::string plot_of(const bench::batch_report& report) {
  bench::line_series decode{"decode", {}}, prompt{"prompt", {}};
  for (const auto& row : report.rows) {
    decode.points.emplace_back(row.batch, row.decode_speed());
    prompt.points.emplace_back(row.batch, row.prompt_speed());
  }
  return bench::draw_lines(
      {report.where.model + ", " + report.where.isa + ", " +
           std::to_string(report.where.threads) + " threads",
       environment_line()},
      {"sequences", "tokens/s, all sequences together"}, {decode, prompt});
}

int run(const bench::batch_plan& plan, const bench_output_flags& output) {
  const auto report = measure(plan);
  print(output.as_json ? to_line(report_json(plan, report)) + "\n"
                       : for_people(plan, report));
  if (!output.plot.empty())
    write_file(output.plot, plot_of(report));
  return exit_done;
}

} // namespace

void add_bench_batch(CLI::App& bench, int& code) {
  auto* app = bench.add_subcommand(
      "batch", "Measure prompts and decoding of batches, on the engine alone");
  app->footer("The columns are llama-batched-bench's; medians of all rounds.\n"
              "Examples:\n"
              "  sluice bench batch --model bench.gguf --b 1,8,32 --json\n"
              "  sluice bench batch --device cuda --shape llama-8b --quant "
              "q4_0");
  auto plan = std::make_shared<bench::batch_plan>();
  auto* model = app->add_option("--model", plan->model,
                                "Hugging Face directory or .gguf file")
                    ->type_name("PATH");
  app->add_option("--shape", plan->shape,
                  "In the place of a model: random weights of llama-1b, "
                  "llama-8b .., made on the GPU")
      ->excludes(model)
      ->type_name("NAME");
  auto quant = std::make_shared<std::string>();
  app->add_option("--quant", *quant,
                  "Round weights to this type while loading; default: as "
                  "stored, bf16 of a --shape")
      ->type_name("TYPE");
  auto cache = std::make_shared<std::string>("f16");
  app->add_option("--kv-type", *cache, "Type of the KV cache; default f16")
      ->type_name("TYPE");
  auto isa = std::make_shared<std::string>();
  add_isa_flag(*app, *isa);
  auto device = std::make_shared<std::string>("cpu");
  app->add_option("--device", *device, "What computes; default cpu")
      ->check(CLI::IsMember({"cpu", "cuda"}));
  auto gpu = std::make_shared<gpu_options>();
  app->add_option("--gpu", gpu->index, "Which GPU; default 0");
  app->add_flag(
      "--fast{false}", gpu->strict,
      "On a GPU: sums as is fastest, in the place of sums whose order "
      "no load changes");
  app->add_option("-t,--threads", plan->threads,
                  "Threads that compute, each on its own core; 0: one a core");
  app->add_option("--pp", plan->prompt_tokens,
                  "Prompt tokens of each sequence; default 128")
      ->check(CLI::Range(1, 1 << 20));
  app->add_option("--tg", plan->decode_tokens,
                  "Tokens that each sequence generates; default 32")
      ->check(CLI::Range(1, 1 << 20));
  app->add_option("--b", plan->batches,
                  "Sequences at a time; default 1,2,4,8,16,32,64")
      ->delimiter(',')
      ->check(CLI::Range(1, 1024));
  app->add_option("--step-tokens", plan->step_tokens,
                  "Most prompt tokens of one step; default 512")
      ->check(CLI::Range(1, 65536));
  app->add_option("--repeat", plan->rounds, "Rounds; default 5")
      ->check(CLI::Range(1, 1000));
  app->add_option("--seconds", plan->seconds,
                  "Decoding of a round stops early after this; default never")
      ->check(CLI::Range(0.0, 3600.0));
  const auto output = add_bench_output_flags(*app);
  app->final_callback([=, &code] {
    if (plan->model.empty() && plan->shape.empty())
      throw CLI::RequiredError{"--model or --shape"};
    plan->isa = isa_of(*isa);
    if (!quant->empty())
      plan->weight_type = parse_type(*quant);
    plan->kv_type = parse_cache_type(*cache);
    if (*device == "cuda")
      plan->gpu = *gpu;
    code = run(*plan, *output);
  });
}

} // namespace sluice::cli
