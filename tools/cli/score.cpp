// SPDX-License-Identifier: Apache-2.0
// sluice score: how likely texts are to a model.
#include <cstdio>
#include <optional>
#include <utility>

#include <unistd.h>

#include "model/tokenizer/load.hpp"
#include "tools/cli/commands.hpp"
#include "tools/cli/connection.hpp"
#include "tools/cli/exit_code.hpp"
#include "tools/cli/input_file.hpp"
#include "tools/cli/interrupt.hpp"
#include "tools/cli/output.hpp"
#include "tools/cli/progress_bar.hpp"
#include "tools/cli/score_job.hpp"

namespace sluice::cli {
namespace {

constexpr auto examples =
    "Log-likelihoods are natural logarithms of the model's own distribution "
    "at temperature 1; perplexity is exp(-log_likelihood / tokens). A text's "
    "first token counts only if the model puts a BOS before it.\n"
    "Input, a line each:  {\"custom_id\": \"a1\", \"text\": \"...\"}\n"
    "  or {\"prompt\": \"...\", \"continuation\": \"...\"}: only the "
    "continuation counts; or a line of text.\n"
    "Output with --json, in the order of the input:  {\"custom_id\", \"line\", "
    "\"tokens\", \"log_likelihood\", \"perplexity\", \"likeliest_tokens\", "
    "\"greedy\", \"per_token\", \"usage\", \"error\"}, then {\"total\"}\n"
    "Examples:\n"
    "  sluice score --model models/pebble --text 'Paid 12.50 EUR' "
    "--per-token\n"
    "  sluice score --model pebble.gguf -i texts.jsonl --json\n"
    "  sluice score --model pebble.gguf -f book.txt --stride 256";

struct score_flags {
  std::optional<std::string> text;
  std::optional<std::string> file;
  std::string input = "-";
  std::string tokenizer; // path; empty: that of --model
  std::size_t max_line_bytes = 16u << 20;
  bool json = false;
  score_settings job;
};

/// One text, as if it were the only line of the input.
score_job::source one_text(std::string text) {
  return [text = std::move(text),
          given = false](text_line& line, std::chrono::milliseconds) mutable {
    if (std::exchange(given, true))
      return line_reader::status::end;
    line = {.number = 1, .text = std::move(text)};
    return line_reader::status::line;
  };
}

void show(const scored_text& row, const score_flags& flags) {
  if (flags.json)
    print_line(to_json_line(row, flags.job.per_token));
  else if (!row.error)
    print(to_text(row, flags.job.per_token));
  if (row.error)
    std::fprintf(stderr, "sluice: line %llu: %s: %s\n",
                 static_cast<unsigned long long>(row.line),
                 std::string{messages::to_string(row.error->code)}.c_str(),
                 row.error->text.c_str());
}

void show_total(const score_job& job, const score_flags& flags) {
  const auto& sum = job.total();
  if (flags.json)
    return print_line(to_line({{"total",
                                {{"texts", job.rows()},
                                 {"failed", job.failed()},
                                 {"tokens", sum.tokens},
                                 {"log_likelihood", sum.log_likelihood},
                                 {"perplexity", sum.perplexity()},
                                 {"likeliest_tokens", sum.likeliest}}}}));
  if (job.rows() == 1 || sum.tokens == 0)
    return;
  char line[160];
  std::snprintf(line, sizeof line,
                "total: %llu texts, %llu tokens, log-likelihood %.6f, "
                "perplexity %.6f",
                static_cast<unsigned long long>(job.rows() - job.failed()),
                static_cast<unsigned long long>(sum.tokens), sum.log_likelihood,
                sum.perplexity());
  print_line(line);
}

/// Tokens that one window may have: the model's context, unless told.
std::size_t window_of(client::client& client, const score_flags& flags) {
  const auto& wanted = flags.job.request.model;
  for (const auto& model : client.models().models)
    if (wanted.empty() || model->name == wanted) {
      const auto context = std::size_t{model->context_tokens};
      const auto window = flags.job.window > 0 ? flags.job.window : context;
      if (window > context)
        throw client::bad_request{"--window is above the model's context of " +
                                  std::to_string(context) + " tokens"};
      if (flags.job.stride > window)
        throw client::bad_request{"--stride is above the window of " +
                                  std::to_string(window) + " tokens; lower it"};
      return window;
    }
  throw client::bad_request{"no model is named '" + wanted +
                            "'; `sluice list` names them"};
}

void prepare_windows(score_flags& flags, client::client& client,
                     const std::string& model) {
  if (flags.job.stride == 0)
    return;
  const auto& path = flags.tokenizer.empty() ? model : flags.tokenizer;
  if (path.empty())
    throw client::bad_request{"--stride cuts texts into tokens here; name the "
                              "model's files with --tokenizer"};
  flags.job.window = window_of(client, flags);
  flags.job.text = load_tokenizer(path);
}

/// @return false if Ctrl-C ended it early.
bool run(score_job& job, progress_bar& bar, std::uint64_t rows) {
  const interrupt_guard interrupts;
  while (job.step()) {
    bar.update(job.rows(), rows);
    if (interrupts.count() > 0)
      return false;
  }
  return true;
}

int run_job(const score_flags& flags, client::client& client,
            score_job::source input, std::uint64_t rows) {
  progress_bar bar{"texts"};
  score_job job{client, std::move(input),
                [&](const scored_text& row) {
                  bar.clear();
                  show(row, flags);
                },
                flags.job};
  const bool complete = run(job, bar, rows);
  bar.clear();
  if (complete && job.rows() == 0)
    throw client::bad_request{"the input has no texts; nothing can be scored"};
  if (complete)
    show_total(job, flags);
  else
    std::fputs("sluice: stopped\n", stderr);
  return complete && job.failed() == 0 ? exit_done : exit_failed;
}

int score(score_flags flags, const connection_flags& where) {
  const bool lines = !flags.text && !flags.file;
  std::optional<input_file> input;
  std::string whole;
  if (lines)
    input.emplace(flags.input);
  else
    whole = flags.text ? *flags.text : read_all(*flags.file, "--file");
  if (!lines && whole.empty())
    throw client::bad_request{"the text is empty; nothing can be scored"};
  connection connection{where};
  auto& client = connection.get();
  prepare_windows(flags, client, where.model);
  if (!lines) {
    flags.job.fields.plain = true;
    return run_job(flags, client, one_text(std::move(whole)), 1);
  }
  line_reader reader{input->fd(), flags.max_line_bytes};
  const auto rows = isatty(STDERR_FILENO) == 1 ? input->count_rows() : 0;
  const auto next = [&reader](text_line& line, std::chrono::milliseconds wait) {
    return reader.next(line, wait);
  };
  return run_job(flags, client, next, rows);
}

void add_input_flags(CLI::App& app, score_flags& f) {
  auto* input = app.add_option_group("input");
  input
      ->add_option("-i,--input", f.input,
                   "JSONL file or lines of text; - is stdin, the default")
      ->type_name("FILE");
  input->add_option("--text", f.text, "One text")->type_name("TEXT");
  input->add_option("-f,--file", f.file, "A whole file as one text; - is stdin")
      ->type_name("FILE");
  input->require_option(0, 1);
  constexpr auto group = "Rows";
  auto& fields = f.job.fields;
  const auto add = [&](const char* flag, std::string& name, const char* help) {
    app.add_option(flag, name, help)->type_name("NAME")->group(group);
  };
  add("--text-field", fields.text, "Key of the text; default text");
  add("--prompt-field", fields.prompt, "Key of the prompt; default prompt");
  add("--continuation-field", fields.continuation,
      "Key of the continuation; default continuation");
  app.add_flag("--plain", fields.plain,
               "Every line is a text, whatever it looks like")
      ->group(group);
  app.add_option("--max-line", f.max_line_bytes,
                 "Longest line of the input; longer ones fail")
      ->type_name("BYTES")
      ->group(group);
}

void add_window_flags(CLI::App& app, score_flags& f) {
  constexpr auto group = "Texts longer than the context";
  app.add_option("--stride", f.job.stride,
                 "Slide a window by so many tokens; each token counts in the "
                 "first window that holds it")
      ->check(CLI::Range(1, 1 << 28))
      ->group(group);
  app.add_option("--window", f.job.window,
                 "Tokens of a window; default: the model's context")
      ->check(CLI::Range(2, 1 << 28))
      ->group(group);
  app.add_option("--tokenizer", f.tokenizer,
                 "Files of the daemon's model; default: --model")
      ->type_name("PATH")
      ->group(group);
}

} // namespace

void add_score(CLI::App& program, int& code) {
  auto* app = program.add_subcommand(
      "score", "Say how likely texts are: log-likelihood and perplexity");
  app->footer(examples);
  auto flags = std::make_shared<score_flags>();
  add_input_flags(*app, *flags);
  app->add_flag("--json", flags->json, "Print one JSON object per text");
  auto* each = app->add_flag("--per-token", flags->job.per_token,
                             "Also the log-likelihood of each token");
  app->add_option("--top", flags->job.top,
                  "With --json: so many alternatives per token")
      ->needs(each);
  app->add_option("-j,--concurrency", flags->job.concurrency,
                  "Requests in flight at once; default 32")
      ->check(CLI::Range(1, 65536));
  add_window_flags(*app, *flags);
  add_scheduling_flags(*app, flags->job.request);
  const auto where = add_connection_flags(*app);
  app->final_callback([=, &code] { code = score(*flags, *where); });
}

} // namespace sluice::cli
