// SPDX-License-Identifier: Apache-2.0
// sluice generate: one request, its text streamed to stdout.
#include <cstdio>
#include <optional>

#include "tools/cli/commands.hpp"
#include "tools/cli/connection.hpp"
#include "tools/cli/exit_code.hpp"
#include "tools/cli/input_file.hpp"
#include "tools/cli/interrupt.hpp"
#include "tools/cli/json_output.hpp"
#include "tools/cli/output.hpp"
#include "tools/cli/request_flags.hpp"

namespace sluice::cli {
namespace {

constexpr auto examples =
    "Examples:\n"
    "  sluice generate --model models/pebble --prompt 'Hello' -m 50\n"
    "  cat letter.txt | sluice generate --endpoint ipc:///run/sluice/"
    "sluice-control.sock --prompt-file -\n"
    "  sluice generate --model pebble.gguf --prompt 'Hi' --temperature 0 "
    "--json\n"
    "Ctrl-C cancels the request.";

struct generate_flags {
  std::string prompt;
  std::string prompt_file;
  std::string output = "text"; // or "json", "events"
  bool echo = false;
  std::optional<std::uint32_t> prompt_logprobs; // alternatives per token
};

/// Shows one request as it goes on, in one of three forms.
class presenter {
public:
  explicit presenter(const generate_flags& flags, std::uint32_t sequences)
      : events_{flags.output == "events"}, whole_{flags.output == "json"},
        stream_{flags.output == "text" && sequences == 1} {}

  void show(const client::event& event) {
    if (events_)
      print_line(to_line(to_json(event)));
    if (const auto* chunk = std::get_if<client::chunk_frame>(&event.what)) {
      text_.take(**chunk);
      if (stream_)
        show_growth();
    } else if (const auto* end = std::get_if<client::finished>(&event.what)) {
      show_end(event.id, *end);
    }
  }

private:
  void show_growth() {
    const auto& text = text_.sequences().begin()->second.text;
    if (text.size() < shown_) { // withdrawn: start over below
      print("\n");
      shown_ = 0;
    }
    print(std::string_view{text}.substr(shown_));
    shown_ = text.size();
  }

  void show_end(const messages::request_id& id, const client::finished& end) {
    if (whole_)
      return print_line(to_line(summary(id, end)));
    if (events_)
      return;
    if (stream_)
      return print("\n");
    for (const auto& [index, sequence] : text_.sequences())
      print("--- " + std::to_string(index) + "\n" + sequence.text + "\n");
  }

  json summary(const messages::request_id& id, const client::finished& end) {
    auto sequences = json::array();
    for (const auto& [index, sequence] : text_.sequences())
      sequences.push_back(to_json(sequence));
    const auto first = text_.sequences().find(0);
    return {
        {"id", id.hex()},
        {"text", first == text_.sequences().end() ? "" : first->second.text},
        {"finish_reason", messages::to_string(end.reason)},
        {"sequences", std::move(sequences)},
        {"usage", to_json(end.receipt)}};
  }

  bool events_;
  bool whole_;
  bool stream_;
  client::completion text_;
  std::size_t shown_ = 0; // bytes of text on stdout
};

int report(const client::failure& failure, const generate_flags& flags) {
  if (flags.output == "json")
    print_line(to_line({{"error", to_json(failure)}}));
  std::fprintf(stderr, "sluice: %s: %s\n",
               std::string{messages::to_string(failure.code)}.c_str(),
               failure.text.c_str());
  return exit_failed;
}

int conclude(const client::finished& end) {
  using messages::FinishReason;
  const bool stopped = end.reason == FinishReason::cancelled ||
                       end.reason == FinishReason::disconnected;
  if (stopped)
    std::fputs("sluice: cancelled\n", stderr);
  return stopped ? exit_failed : exit_done;
}

int follow(client::client& client, const messages::request_id& id,
           presenter& view, const generate_flags& flags) {
  const interrupt_guard interrupts;
  for (bool cancelled = false;;) {
    if (interrupts.count() > 0 && !cancelled) {
      client.cancel(id);
      cancelled = true;
    }
    for (const auto& event : client.poll(std::chrono::milliseconds{200})) {
      view.show(event);
      if (const auto* end = std::get_if<client::finished>(&event.what))
        return conclude(*end);
      if (const auto* failure = std::get_if<client::failure>(&event.what))
        return report(*failure, flags);
    }
  }
}

int generate(const generate_flags& flags, const request_flags& request,
             const connection_flags& where) {
  auto submit = to_submit(request);
  submit.prompt = flags.prompt_file.empty()
                      ? flags.prompt
                      : read_all(flags.prompt_file, "--prompt-file");
  submit.echo = flags.echo;
  submit.prompt_logprobs = flags.prompt_logprobs.has_value();
  submit.prompt_top_logprobs = flags.prompt_logprobs.value_or(0);
  presenter view{flags, submit.n};
  connection connection{where};
  const auto id = connection.get().submit(std::move(submit));
  return follow(connection.get(), id, view, flags);
}

void add_output_flags(CLI::App& app, generate_flags& flags) {
  const auto form = [&flags](const char* name) {
    return [&flags, name](std::int64_t) { flags.output = name; };
  };
  auto* whole = app.add_flag_function("--json", form("json"),
                                      "Print one JSON object at the end");
  app.add_flag_function("--json-events", form("events"),
                        "Print one JSON object per event, as it happens")
      ->excludes(whole);
}

} // namespace

void add_generate(CLI::App& program, int& code) {
  auto* app = program.add_subcommand("generate", "Run one prompt and stream "
                                                 "what the model answers");
  app->footer(examples);
  auto flags = std::make_shared<generate_flags>();
  auto* prompt = app->add_option_group("prompt");
  prompt->add_option("-p,--prompt", flags->prompt, "The prompt")
      ->type_name("TEXT");
  prompt
      ->add_option("-f,--prompt-file", flags->prompt_file,
                   "File with the prompt; - is stdin")
      ->type_name("FILE");
  prompt->require_option(1);
  add_output_flags(*app, *flags);
  app->add_flag("--echo", flags->echo, "Put the prompt before the answer");
  app->add_option("--prompt-logprobs", flags->prompt_logprobs,
                  "Log-likelihood of every token of the prompt, and of so many "
                  "alternatives; 0: none (with --json)");
  const auto request = add_request_flags(*app);
  add_choice_flags(*app, *request);
  const auto where = add_connection_flags(*app);
  app->final_callback(
      [=, &code] { code = generate(*flags, *request, *where); });
}

} // namespace sluice::cli
