// SPDX-License-Identifier: Apache-2.0
// sluice quantize: a model with smaller weights, as a GGUF file, or of fp8 as a
// Hugging Face directory.
#include "model/quantize/quantize.hpp"

#include <chrono>
#include <cstdio>

#include <nlohmann/json.hpp>

#include "tools/cli/commands.hpp"
#include "tools/cli/exit_code.hpp"
#include "tools/cli/interrupt.hpp"
#include "tools/cli/output.hpp"
#include "tools/cli/progress_bar.hpp"
#include "tools/client/events.hpp"

namespace sluice::cli {
namespace {

namespace fs = std::filesystem;

struct quantize_flags {
  std::string model;
  std::string type;
  std::string output;
  int threads = 2;
  bool force = false;
  bool as_json = false;
};

struct interrupted : std::runtime_error {
  interrupted() : runtime_error("interrupted; nothing was written") {}
};

const quantize_recipe& recipe_of(const quantize_flags& flags) {
  if (const auto* recipe = find_recipe(flags.type))
    return *recipe;
  throw client::bad_request{"unknown type '" + flags.type +
                            "'; known are: " + recipe_list()};
}

void check_output(const quantize_flags& flags) {
  const fs::path path{flags.output};
  std::error_code ignored;
  if (recipe_of(flags).most == dtype::fp8) {
    if (path.extension() == ".gguf")
      throw client::bad_request{flags.output +
                                ": GGUF files hold no fp8, which is written "
                                "as a directory; name one without .gguf"};
    if (fs::exists(path, ignored))
      throw client::bad_request{flags.output +
                                ": it exists, and fp8 is written as a "
                                "directory; choose another name"};
    return;
  }
  if (path.extension() != ".gguf")
    throw client::bad_request{flags.output +
                              ": the output is a GGUF file; end its name "
                              "with .gguf"};
  if (fs::equivalent(path, flags.model, ignored))
    throw client::bad_request{flags.output +
                              ": it is the model itself; choose another name"};
  if (fs::exists(path, ignored) && !flags.force)
    throw client::bad_request{flags.output +
                              ": it exists; give --force to replace it"};
}

double bits_a_weight(const quantize_summary& done) {
  return 8.0 * static_cast<double>(done.bytes_out) /
         static_cast<double>(done.weights);
}

std::string as_json(const quantize_flags& flags, const quantize_summary& done,
                    double seconds) {
  const nlohmann::json summary{{"model", flags.model},
                               {"output", flags.output},
                               {"type", flags.type},
                               {"bytes_in", done.bytes_in},
                               {"bytes_out", done.bytes_out},
                               {"bits_per_weight", bits_a_weight(done)},
                               {"seconds", seconds},
                               {"tensors", done.tensors},
                               {"substitutes", done.substitutes},
                               {"notes", done.notes}};
  constexpr auto replace = nlohmann::json::error_handler_t::replace;
  return summary.dump(2, ' ', false, replace);
}

std::string as_text(const quantize_flags& flags, const quantize_summary& done,
                    double seconds) {
  char line[160];
  std::snprintf(line, sizeof line,
                ": %.1f MiB, %.2f bits a weight, %.1f s; tensors:",
                static_cast<double>(done.bytes_out) / (1 << 20),
                bits_a_weight(done), seconds);
  std::string text = flags.output + line;
  for (const auto& [type, count] : done.tensors)
    text += " " + std::to_string(count) + " " + type;
  if (!done.substitutes.empty())
    text += "\n" + std::to_string(done.substitutes.size()) +
            " matrices whose rows are no whole blocks got another type, e.g. " +
            done.substitutes.front() + "; --json lists them";
  for (const auto& note : done.notes)
    text += "\nnote: " + note;
  return text;
}

int quantize_command(const quantize_flags& flags) {
  quantize_options options;
  options.recipe = &recipe_of(flags);
  options.threads = flags.threads;
  check_output(flags);
  const interrupt_guard guard;
  progress_bar bar{"read", true};
  options.progress = [&](std::uint64_t done, std::uint64_t total) {
    if (guard.count() > 0)
      throw interrupted{};
    bar.update(done, total);
  };
  const auto began = std::chrono::steady_clock::now();
  const auto done = quantize(flags.model, flags.output, options);
  const std::chrono::duration<double> took =
      std::chrono::steady_clock::now() - began;
  bar.clear();
  print_line(flags.as_json ? as_json(flags, done, took.count())
                           : as_text(flags, done, took.count()));
  return exit_done;
}

} // namespace

void add_quantize(CLI::App& program, int& code) {
  auto* app = program.add_subcommand(
      "quantize", "Write a model with smaller weights, as a GGUF file");
  app->footer("Examples:\n"
              "  sluice quantize --model models/pebble --type q8_0 "
              "-o pebble-q8_0.gguf\n"
              "  sluice quantize --model llama-f16.gguf --type q4_k_m "
              "-o llama-q4_k_m.gguf --json\n"
              "q4_k_m and q5_k_m keep the output matrix, and the value and "
              "down projections\nof half of the layers, at q6_k. w8a8 is int8 "
              "with one scale a row, fp8\nthe same of 8-bit floats, written "
              "as a Hugging Face directory, since GGUF has none.");
  auto flags = std::make_shared<quantize_flags>();
  app->add_option("--model", flags->model,
                  "Hugging Face directory or .gguf file of F32, F16 or BF16")
      ->required()
      ->type_name("MODEL");
  app->add_option("--type", flags->type, recipe_list())
      ->required()
      ->type_name("TYPE");
  app->add_option("-o,--output", flags->output,
                  "GGUF file to write, or of fp8 a directory")
      ->required()
      ->type_name("FILE");
  app->add_option("--threads", flags->threads,
                  "Threads that compute; default 2")
      ->check(CLI::Range(1, 1024))
      ->type_name("N");
  app->add_flag("--force", flags->force, "Replace the output if it exists");
  app->add_flag("--json", flags->as_json, "Print a JSON object");
  app->final_callback([=, &code] { code = quantize_command(*flags); });
}

} // namespace sluice::cli
