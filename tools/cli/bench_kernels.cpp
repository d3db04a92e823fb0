// SPDX-License-Identifier: Apache-2.0
// sluice bench kernels: each op, and how near it comes to the machine's limit.
#include "kernels/select.hpp"
#include "tools/bench/gpu/gpu_kernels.hpp"
#include "tools/bench/kernels/kernel_bench.hpp"
#include "tools/bench/svg_plot.hpp"
#include "tools/cli/bench_commands.hpp"
#include "tools/cli/bench_output.hpp"
#include "tools/cli/exit_code.hpp"
#include "tools/cli/isa_flag.hpp"
#include "tools/cli/model_types.hpp"
#include "tools/cli/output.hpp"

#include <algorithm>
#include <thread>

namespace sluice::cli {
namespace {

struct kernel_flags {
  std::string device = "cpu";
  int gpu = 0;
  std::string isa;
  int threads = 0;
  std::vector<std::string> types;
  std::vector<std::string> cache_types{"f16", "bf16", "i8"};
  std::string shape = "llama-1b";
  bench::kernel_plan plan;
};

const bench::model_shape& shape_of(const std::string& text) {
  std::string known;
  for (const auto& shape : bench::model_shapes) {
    if (shape.name == text)
      return shape;
    known += (known.empty() ? "" : ", ") + std::string{shape.name};
  }
  throw client::bad_request{"unknown shape '" + text +
                            "'; known are: " + known};
}

/// On one device or the other.
std::vector<std::string> known_ops() {
  auto all = bench::op_names();
  all.emplace_back(bench::op_of_gpus);
  return all;
}

bench::kernel_plan plan_of(const kernel_flags& flags) {
  auto plan = flags.plan;
  plan.isa = isa_of(flags.isa);
  plan.choice.shape = shape_of(flags.shape);
  plan.threads =
      flags.threads > 0
          ? flags.threads
          : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  plan.skip_unsupported = flags.types.empty();
  plan.types = {dtype::q4_0, dtype::q8_0, dtype::q4_k, dtype::q6_k,
                dtype::w8a8, dtype::bf16, dtype::f16};
  if (!flags.types.empty())
    plan.types.clear();
  for (const auto& text : flags.types)
    plan.types.push_back(parse_type(text));
  for (const auto& text : flags.cache_types)
    plan.cache_types.push_back(parse_cache_type(text));
  const auto known = known_ops();
  for (const auto& op : plan.ops)
    if (std::find(known.begin(), known.end(), op) == known.end())
      throw client::bad_request{"unknown op '" + op + "'; known are: " +
                                CLI::detail::join(known, ", ")};
  return plan;
}

constexpr const char* columns =
    "op               type  layout  shape            M    us/run  spread"
    "    GB/s    TOPS  limit   part";

double spread_of(const bench::summary& values) {
  return values.median > 0 ? values.mad / values.median : 0;
}

double bytes_per_second(const bench::kernel_row& row) {
  return row.what.bytes / row.seconds.median;
}

double operations_per_second(const bench::kernel_row& row) {
  return row.what.operations / row.seconds.median;
}

// On a GPU rows of both modes follow each other.
std::string mode_of(const bench::kernel_row& row) {
  return row.cost ? line("  %-6s %+5.1f%%", row.what.mode.c_str(),
                         row.cost->median * 100)
                  : line("  %-6s", row.what.mode.c_str());
}

std::string for_people(const bench::kernel_row& row, bool on_gpu) {
  return line("%-16s %-5s %-6s %-14s %4lld %9.1f %6.1f%% %7.1f %7.3f  %-6s "
              "%4.0f%%",
              row.what.op.c_str(), row.what.type.c_str(),
              row.what.layout.c_str(), row.what.shape.c_str(),
              static_cast<long long>(row.what.m), row.seconds.median * 1e6,
              spread_of(row.seconds) * 100, bytes_per_second(row) / 1e9,
              operations_per_second(row) / 1e12, row.bound.c_str(),
              row.part.median * 100) +
         (on_gpu ? mode_of(row) : std::string{}) + '\n';
}

std::string peak_line(const char* unit, const bench::summary& peak,
                      const std::string& instructions) {
  if (peak.median <= 0)
    return {};
  return line("  %-10s %6.3f  (%.3f to %.3f)  %s\n", unit, peak.median / 1e12,
              peak.min / 1e12, peak.max / 1e12, instructions.c_str());
}

std::string for_people(const bench::roofline_report& limits) {
  return "The machine's limits over all rounds: median (least to most)\n" +
         line("  %-10s %6.1f  (%.1f to %.1f)  %s\n", "read GB/s",
              limits.read.median / 1e9, limits.read.min / 1e9,
              limits.read.max / 1e9, limits.read_pattern.c_str()) +
         peak_line("int8 TOPS", limits.int8, limits.int8_instructions) +
         peak_line("bf16 TFLOPS", limits.bf16, limits.bf16_instructions) +
         peak_line("f32 TFLOPS", limits.f32, limits.f32_instructions);
}

json peak_json(const bench::summary& peak, const std::string& instructions) {
  if (peak.median <= 0)
    return nullptr;
  auto out = summary_json(peak, 1e-12);
  out["instructions"] = instructions;
  return out;
}

json roofline_json(const bench::roofline_report& limits) {
  auto read = summary_json(limits.read, 1e-9);
  read["pattern"] = limits.read_pattern;
  read["buffer_bytes"] = limits.buffer_bytes;
  return {{"read_gb_s", read},
          {"int8_tops", peak_json(limits.int8, limits.int8_instructions)},
          {"bf16_tflops", peak_json(limits.bf16, limits.bf16_instructions)},
          {"f32_tflops", peak_json(limits.f32, limits.f32_instructions)}};
}

json row_json(const bench::kernel_row& row) {
  json out{{"op", row.what.op}, {"type", row.what.type}};
  if (!row.what.layout.empty())
    out["layout"] = row.what.layout;
  out.update(json{{"shape", row.what.shape},
                  {"m", row.what.m},
                  {"us", summary_json(row.seconds, 1e6)},
                  {"bytes", row.what.bytes},
                  {"operations", row.what.operations},
                  {"gb_s", bytes_per_second(row) / 1e9},
                  {"tops", operations_per_second(row) / 1e12},
                  {"bound", row.bound},
                  {"part", summary_json(row.part)},
                  {"mode", row.what.mode}});
  if (row.cost)
    out["cost_of_strictness"] = summary_json(*row.cost);
  return out;
}

/// What computed, as reports name it.
struct place {
  std::string device;  // an instruction set or a GPU
  std::string text;    // with its threads
  std::string library; // of a GPU's fast mode
};

std::string gpu_heading(const place& where) {
  return where.text + "; fast mode " +
         (where.library.empty() ? "without a library"
                                : "with " + where.library) +
         "; cost: how much longer strict takes\n";
}

json report_json(const place& where, const bench::kernel_plan& plan,
                 const bench::kernel_report& all) {
  auto out = environment_json();
  out.update(json{{"isa", where.device},
                  {"n_threads", plan.threads},
                  {"pinned", true},
                  {"shape", plan.choice.shape.name},
                  {"rounds", plan.rounds},
                  {"roofline", roofline_json(all.limits)},
                  {"rows", json::array()}});
  if (!where.library.empty())
    out["library"] = where.library;
  for (const auto& row : all.rows)
    out["rows"].push_back(row_json(row));
  return out;
}

std::string plot_of(const place& where, const bench::kernel_plan& plan,
                    const bench::kernel_report& all) {
  std::vector<bench::bar> bars;
  for (const auto& row : all.rows)
    bars.push_back({row.what.op + " " + row.what.type + " " + row.what.shape +
                        " M=" + std::to_string(row.what.m),
                    row.part.median, "of " + row.bound});
  return bench::draw_bars({"Part of the machine's limit, " +
                               std::string{plan.choice.shape.name} + ", " +
                               where.text,
                           environment_line()},
                          bars);
}

int run(const kernel_flags& flags, const bench_output_flags& output) {
  const auto plan = plan_of(flags);
  const bool on_gpu = flags.device == "cuda";
  const auto show = [&](const bench::kernel_row& row) {
    if (!output.as_json)
      print(for_people(row, on_gpu));
  };
  place where;
  where.device =
      on_gpu ? bench::gpu_name(flags.gpu) : std::string{name(plan.isa)};
  where.text =
      on_gpu ? where.device
             : where.device + ", " + std::to_string(plan.threads) + " threads";
  where.library = on_gpu ? bench::gpu_library() : std::string{};
  if (!output.as_json)
    print((on_gpu ? gpu_heading(where) : std::string{}) + columns +
          (on_gpu ? "  mode    cost\n" : "\n"));
  const auto all = on_gpu ? bench::measure_gpu_kernels({plan, flags.gpu}, show)
                          : bench::measure_kernels(plan, show);
  print(output.as_json ? to_line(report_json(where, plan, all)) + "\n"
                       : for_people(all.limits));
  if (!output.plot.empty())
    write_file(output.plot, plot_of(where, plan, all));
  return exit_done;
}

} // namespace

void add_bench_kernels(CLI::App& bench, int& code) {
  auto* app = bench.add_subcommand(
      "kernels", "Measure each op against the machine's own limits");
  app->footer("GB/s counts the bytes that must come from memory, TOPS a "
              "multiply-add as two.\nExamples:\n"
              "  sluice bench kernels --types q4_0,q8_0 --m 1,512\n"
              "  sluice bench kernels --ops matmul --json | jq .rows");
  auto flags = std::make_shared<kernel_flags>();
  auto& plan = flags->plan;
  plan.choice.rows = {1, 4, 8, 16, 32, 128, 512};
  app->add_option("--device", flags->device, "What computes; default cpu")
      ->check(CLI::IsMember({"cpu", "cuda"}));
  app->add_option("--gpu", flags->gpu, "Which GPU; default 0");
  add_isa_flag(*app, flags->isa);
  app->add_option("-t,--threads", flags->threads,
                  "Threads that compute, each on its own core; 0: one a core")
      ->check(CLI::Range(0, 1024));
  app->add_option("--types", flags->types, "Weight types, as in q4_0,bf16")
      ->delimiter(',')
      ->type_name("TYPES");
  app->add_option("--cache-types", flags->cache_types,
                  "Types of the KV cache; default f16,bf16,i8")
      ->delimiter(',')
      ->type_name("TYPES");
  app->add_option("--m", plan.choice.rows,
                  "Rows of activations; default 1,4,8,16,32,128,512")
      ->delimiter(',')
      ->check(CLI::Range(1, 65536));
  app->add_option("--shape", flags->shape,
                  "Layer of llama-1b, llama-8b or llama-70b; default "
                  "llama-1b");
  app->add_option("--ops", plan.ops,
                  "Only these: " + CLI::detail::join(known_ops(), ", "))
      ->delimiter(',')
      ->type_name("OPS");
  app->add_flag("--each-matrix", plan.choice.each_matrix,
                "Also the matrices of a layer apart");
  app->add_option("--repeat", plan.rounds, "Rounds of each op; default 5")
      ->check(CLI::Range(1, 1000));
  app->add_option("--seconds", plan.seconds,
                  "Time of an op in a round; default 0.03")
      ->check(CLI::Range(0.0, 60.0));
  const auto output = add_bench_output_flags(*app);
  app->final_callback([=, &code] { code = run(*flags, *output); });
}

} // namespace sluice::cli
