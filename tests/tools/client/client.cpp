// SPDX-License-Identifier: Apache-2.0
#include "tools/client/client.hpp"

#include <filesystem>
#include <fstream>

#include <unistd.h>

#include <boost/test/unit_test.hpp>

#include "tests/tools/client/scripted_daemon.hpp"
#include "tools/client/completion.hpp"

using namespace sluice;
using namespace std::chrono_literals;
using client::test::script;
using client::test::scripted_daemon;

namespace {

/// Short waits, so that what is lost is asked for soon.
client::client_options options_for(scripted_daemon& daemon) {
  client::client_options options;
  options.endpoint = scripted_daemon::endpoint;
  options.context = daemon.context();
  options.answer_timeout = 2'000ms;
  options.dead_after = 5'000ms;
  options.patience = {100ms, 100ms, 200ms, 50ms};
  return options;
}

messages::SubmitT a_request() {
  messages::SubmitT request;
  request.prompt = "hello";
  return request;
}

/// What became of one request.
struct outcome {
  std::string text;
  int accepted = 0;
  std::optional<client::finished> finished;
  std::optional<client::failure> failure;
};

outcome run_one(client::client& client) {
  outcome result;
  client::completion text;
  client.submit(a_request());
  while (client.open() > 0 || (!result.finished && !result.failure))
    for (auto& event : client.poll(100ms)) {
      if (auto* chunk = std::get_if<client::chunk_frame>(&event.what))
        text.take(**chunk);
      else if (auto* end = std::get_if<client::finished>(&event.what))
        result.finished = std::move(*end);
      else if (auto* failure = std::get_if<client::failure>(&event.what))
        result.failure = std::move(*failure);
      else
        ++result.accepted;
    }
  if (!text.sequences().empty())
    result.text = text.sequences().at(0).text;
  return result;
}

outcome run_script(script script) {
  scripted_daemon daemon{std::move(script)};
  client::client client{options_for(daemon)};
  return run_one(client);
}

} // namespace

BOOST_AUTO_TEST_SUITE(client_over_zeromq)

BOOST_AUTO_TEST_CASE(every_disturbance_gives_the_same_stream) {
  script lossless;
  script loses_some;
  loses_some.copies = [](std::uint32_t seq) { return seq % 2 ? 0 : 1; };
  script loses_all;
  loses_all.copies = [](std::uint32_t) { return 0; };
  script loses_the_end;
  loses_the_end.copies = [](std::uint32_t seq) { return seq < 4 ? 1 : 0; };
  script repeats;
  repeats.copies = [](std::uint32_t) { return 3; };
  script deaf;
  deaf.deaf_submits = 2;
  script deaf_twice = loses_all;
  deaf_twice.deaf_replays = 2;
  for (const auto& script : {lossless, loses_some, loses_all, loses_the_end,
                             repeats, deaf, deaf_twice}) {
    const auto result = run_script(script);
    BOOST_TEST(result.text == "0 1 2 3 4 ");
    BOOST_TEST(result.accepted == 1);
    BOOST_REQUIRE(result.finished.has_value());
    BOOST_TEST((result.finished->reason == messages::FinishReason::stop_token));
    BOOST_TEST(result.finished->receipt.generated_tokens == 5u);
  }
}

BOOST_AUTO_TEST_CASE(rejections_are_failures) {
  script script;
  script.reject = messages::ErrorCode::queue_full;
  const auto result = run_script(script);
  BOOST_TEST(result.accepted == 0);
  BOOST_REQUIRE(result.failure.has_value());
  BOOST_TEST((result.failure->code == messages::ErrorCode::queue_full));
  BOOST_TEST(result.failure->text == "as scripted");
  BOOST_TEST(result.failure->retry_after.count() == 250);
}

BOOST_AUTO_TEST_CASE(what_is_lost_for_good_is_a_failure) {
  script forgotten;
  forgotten.copies = [](std::uint32_t) { return 0; };
  forgotten.knows_requests = false;
  script out_of_window;
  out_of_window.copies = [](std::uint32_t seq) { return seq < 3 ? 0 : 1; };
  out_of_window.lost_before = 3;
  script corrupt;
  corrupt.corrupt_end = true;
  for (const auto& script : {forgotten, out_of_window, corrupt}) {
    const auto result = run_script(script);
    BOOST_TEST(!result.finished.has_value());
    BOOST_REQUIRE(result.failure.has_value());
    BOOST_TEST(result.failure->text != "");
  }
}

BOOST_AUTO_TEST_CASE(many_requests_share_a_connection) {
  script script;
  script.copies = [](std::uint32_t seq) { return seq == 2 ? 0 : 1; };
  scripted_daemon daemon{script};
  client::client client{options_for(daemon)};
  std::unordered_map<messages::request_id, client::completion> texts;
  for (int i = 0; i < 100; ++i)
    texts[client.submit(a_request())];
  BOOST_TEST(client.open() == 100u);
  int finished = 0;
  while (client.open() > 0)
    for (const auto& event : client.poll(100ms)) {
      if (const auto* chunk = std::get_if<client::chunk_frame>(&event.what))
        texts.at(event.id).take(**chunk);
      finished += std::holds_alternative<client::finished>(event.what);
    }
  BOOST_TEST(finished == 100);
  for (const auto& [id, text] : texts)
    BOOST_TEST(text.sequences().at(0).text == "0 1 2 3 4 ");
}

BOOST_AUTO_TEST_CASE(questions_are_answered_between_events) {
  scripted_daemon daemon{{}};
  client::client client{options_for(daemon)};
  const auto id = client.submit(a_request());
  BOOST_TEST((client.health().state == messages::HealthState::ready));
  BOOST_TEST(client.cancel_and_wait(id));
  BOOST_TEST(!client.cancel_and_wait({9, 9}));
  bool finished = false;
  while (!finished)
    for (const auto& event : client.poll(100ms))
      finished =
          finished || std::holds_alternative<client::finished>(event.what);
}

BOOST_AUTO_TEST_CASE(bad_requests_are_seen_before_they_are_sent) {
  scripted_daemon daemon{{}};
  client::client client{options_for(daemon)};
  auto request = a_request();
  request.sampling = std::make_unique<messages::SamplingT>();
  request.sampling->temperature = -1;
  BOOST_CHECK_THROW(client.submit(std::move(request)), client::bad_request);
  auto invalid = a_request();
  invalid.prompt = "\xff";
  BOOST_CHECK_THROW(client.submit(std::move(invalid)), client::bad_request);
  BOOST_TEST(client.open() == 0u);
}

BOOST_AUTO_TEST_CASE(a_daemon_that_falls_silent_is_gone) {
  script script;
  script.answers = false;
  scripted_daemon daemon{script};
  auto options = options_for(daemon);
  options.answer_timeout = 50ms;
  options.dead_after = 200ms;
  client::client client{options};
  BOOST_CHECK_THROW(client.health(), client::timeout_error);
  BOOST_CHECK_THROW(run_one(client), client::no_daemon);
}

BOOST_AUTO_TEST_CASE(versions_must_meet) {
  script script;
  script.daemon_protocol = 2;
  scripted_daemon daemon{script};
  BOOST_CHECK_THROW(client::client{options_for(daemon)},
                    client::protocol_error);
}

BOOST_AUTO_TEST_CASE(endpoints_without_a_daemon_are_told_at_once) {
  const auto file = std::filesystem::temp_directory_path() /
                    ("sluice-not-a-socket-" + std::to_string(::getpid()));
  std::ofstream{file} << "x";
  for (const auto& endpoint :
       {std::string{"ipc:///nonexistent/socket"}, "ipc://" + file.string(),
        std::string{"nonsense"}, std::string{"tcp://localhost"},
        std::string{}}) {
    client::client_options options;
    options.endpoint = endpoint;
    BOOST_CHECK_THROW(client::client{options}, client::no_daemon);
  }
  std::filesystem::remove(file);
}

BOOST_AUTO_TEST_SUITE_END()
