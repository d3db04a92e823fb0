// SPDX-License-Identifier: Apache-2.0
// sluice synth: a model of random weights, for benchmarks.
#include "model/synth.hpp"
#include "kernels/convert.hpp"

#include "tools/cli/commands.hpp"
#include "tools/cli/exit_code.hpp"
#include "tools/cli/model_types.hpp"
#include "tools/cli/progress_bar.hpp"

namespace sluice::cli {
namespace {

struct synth_flags {
  std::string shape;
  std::string type = "q4_0";
  std::string output;
  std::uint64_t seed = 0;
  std::uint32_t context = 0;
};

int synth_command(const synth_flags& flags) {
  progress_bar bar{"written", true};
  synth_options options;
  options.shape = flags.shape;
  options.type = parse_type(flags.type);
  options.seed = flags.seed;
  options.context = flags.context;
  options.progress = [&bar](std::uint64_t done, std::uint64_t total) {
    bar.update(done, total);
  };
  synth(options, flags.output);
  return exit_done;
}

std::string shape_list() {
  std::string list;
  for (const auto shape : synth_shapes())
    list += (list.empty() ? "" : ", ") + std::string{shape};
  return list;
}

} // namespace

void add_synth(CLI::App& program, int& code) {
  auto* app = program.add_subcommand(
      "synth", "Write a model with random weights, for benchmarks");
  app->footer(
      "Example:\n  sluice synth --shape llama-1b --quant q4_0 -o bench.gguf");
  auto flags = std::make_shared<synth_flags>();
  app->add_option("--shape", flags->shape, shape_list())
      ->required()
      ->type_name("NAME");
  app->add_option("--quant", flags->type, weight_type_list() + "; default q4_0")
      ->type_name("TYPE");
  app->add_option("-o,--output", flags->output, "GGUF file to write")
      ->required()
      ->type_name("FILE");
  app->add_option("--seed", flags->seed, "Other weights; default 0");
  app->add_option("--context", flags->context,
                  "Positions that it says it can take; default: the shape's")
      ->check(CLI::Range(16u, 1u << 24));
  app->final_callback([=, &code] { code = synth_command(*flags); });
}

} // namespace sluice::cli
