// SPDX-License-Identifier: Apache-2.0
// A device that is lost: the streams are the same bytes, nobody waits for ever,
// and what breaks it again and again is told so.
#include "tests/actors/restart_fixture.hpp"

#include "actors/metric_names.hpp"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>

#include <algorithm>
#include <random>

using namespace std::chrono_literals;
using namespace sluice;
using namespace sluice::tests;
using messages::ErrorCode;
using messages::HealthState;

namespace {

/// A prompt of its own, as long as wanted.
messages::WorkT some_work(request_number request, std::uint32_t prompt,
                          std::uint32_t most) {
  auto work = work_of(request, prompt, most);
  for (std::uint32_t i = 0; i < prompt; ++i)
    work.prompt[i] =
        3 + (i * 7 + i * i + static_cast<std::uint32_t>(request)) % 700;
  work.seed = 100 + request;
  work.stopping->stop_tokens = {1};
  return work;
}

/// One of each kind of request.
std::vector<messages::WorkT> all_kinds() {
  std::vector<messages::WorkT> all;
  const auto add = [&](std::uint32_t prompt,
                       std::uint32_t most) -> messages::WorkT& {
    all.push_back(some_work(all.size() + 1, prompt, most));
    return all.back();
  };
  add(5, 12).sampling->temperature = 0;
  auto& punished = *add(30, 10).sampling;
  punished.repetition_penalty = 1.3f;
  punished.frequency_penalty = 0.4f;
  punished.logprobs = 2;
  punished.want_logprobs = true;
  add(41, 6).n = 3;
  add(9, 8).best_of = 3;
  auto& beams = add(19, 7);
  beams.beam = std::make_unique<messages::BeamSearchT>();
  beams.beam->width = 3;
  beams.n = 2;
  auto& scored = add(50, 4);
  scored.score_from = 1;
  scored.publish_scores = true;
  auto& score = add(60, 0);
  score.score_from = 20;
  score.score_only = true;
  add(16, 9).pin = true;
  const auto prompt = all[2].prompt;
  add(41, 3).prompt = prompt; // may find the third's in the cache
  return all;
}

struct outcome {
  seen_streams streams;
  std::uint64_t steps = 0;
  std::uint64_t losses = 0;
};

outcome run_kinds(const restart_shape& shape, loss_script script) {
  restart_fixture tried{shape, std::move(script)};
  for (auto& work : all_kinds())
    tried.admit(std::move(work));
  tried.run_out();
  BOOST_TEST(tried.failed().empty());
  BOOST_TEST(tried.ledger().active == 0u);
  BOOST_TEST(tried.ledger().swapped == 0u);
  const auto losses = tried.losses->lives - 1;
  BOOST_TEST(tried.counted(metric::executor_restarts) == losses);
  BOOST_TEST((tried.health().state == HealthState::ready));
  return {tried.streams(), tried.losses->steps, losses};
}

void compare(const seen_streams& got, const seen_streams& wanted,
             const std::string& when) {
  BOOST_TEST(got.size() == wanted.size(), when);
  for (const auto& [request, stream] : wanted) {
    const auto found = got.find(request);
    BOOST_REQUIRE_MESSAGE(found != got.end(),
                          when << ": " << request << " has not ended");
    BOOST_TEST(found->second == stream, when << ": request " << request);
  }
}

const restart_shape shapes[] = {
    {},
    {.prefix_cache = false, .pipeline_depth = 1},
    {.pool_pages = 18},                   // they give way
    {.pool_pages = 18, .host_slots = 30}, // to host memory
    {.pool_pages = 24,
     .host_slots = 10,
     .prefix_cache = false,
     .pipeline_depth = 4},
};

} // namespace

BOOST_AUTO_TEST_SUITE(restart)

BOOST_DATA_TEST_CASE(a_loss_at_any_step_changes_no_stream,
                     boost::unit_test::data::xrange(std::size(shapes)), which) {
  const auto& shape = shapes[which];
  const auto calm = run_kinds(shape, {});
  BOOST_REQUIRE(calm.streams.size() == all_kinds().size());
  BOOST_REQUIRE(calm.steps > 15u);
  for (std::uint64_t step = 1; step <= calm.steps; ++step) {
    const auto when = "shape " + std::to_string(which) + ", lost at step " +
                      std::to_string(step) + " of " +
                      std::to_string(calm.steps);
    const auto tried = run_kinds(shape, {.fatal = {step}});
    BOOST_TEST(tried.losses == 1u, when);
    compare(tried.streams, calm.streams, when);
  }
}

BOOST_AUTO_TEST_CASE(nor_do_several_losses) {
  const auto calm = run_kinds({}, {});
  std::mt19937 dice{7};
  for (int round = 0; round < 40; ++round) {
    const auto& shape = shapes[dice() % std::size(shapes)];
    // Fewer than end it, and never so many that nothing moves between them.
    std::set<std::uint64_t> fatal{1 + dice() % 10};
    fatal.insert(*fatal.rbegin() + 1 + dice() % 5);
    fatal.insert(*fatal.rbegin() + 30 + dice() % 20);
    compare(run_kinds(shape, {.fatal = fatal}).streams, calm.streams,
            "round " + std::to_string(round));
  }
}

BOOST_AUTO_TEST_CASE(health_says_what_happens_meanwhile) {
  restart_fixture tried{{}, {.fatal = {5}}};
  tried.admit(some_work(1, 5, 20));
  tried.losses->stillborn = 1; // so that a pause can be seen
  tried.run();
  const auto meanwhile = tried.health();
  BOOST_TEST((meanwhile.state == HealthState::recovering));
  BOOST_TEST(meanwhile.text.find("the new device is broken, too") !=
             std::string::npos);
  BOOST_TEST(tried.counted(metric::executor_restarts) == 0);
  tried.run_out();
  BOOST_TEST((tried.health().state == HealthState::ready));
  BOOST_TEST(tried.health().text.empty());
  BOOST_TEST(tried.counted(metric::executor_restarts) == 1);
  BOOST_TEST(tried.failed().empty());
  BOOST_TEST(tried.streams().size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_request_that_breaks_the_device_fails_alone) {
  const auto run = [](bool with_poison) {
    restart_fixture tried;
    // Two tokens side by side, which nobody generates.
    constexpr std::int32_t poison[] = {766, 767};
    tried.losses->is_poison = [poison](const lane_batch& batch) {
      return !std::ranges::search(batch.positions().tokens, poison).empty();
    };
    for (request_number i = 1; i <= 3; ++i)
      tried.admit(some_work(i, 6, 20));
    tried.run();
    if (with_poison) {
      auto work = some_work(4, 60, 9);
      std::copy(std::begin(poison), std::end(poison), &work.prompt[55]);
      tried.admit(std::move(work));
    }
    for (request_number i = 5; i <= 6; ++i)
      tried.admit(some_work(i, 6, 40));
    tried.run_out();
    BOOST_TEST(!tried.ended);
    BOOST_TEST(tried.failed() == (with_poison ? std::vector<request_number>{4}
                                              : std::vector<request_number>{}),
               boost::test_tools::per_element());
    BOOST_TEST(tried.ledger().active == 0u);
    return tried.streams();
  };
  compare(run(true), run(false), "beside poison");
}

BOOST_AUTO_TEST_CASE(a_device_that_stays_broken_ends_the_daemon) {
  restart_fixture tried{{}, {.fatal = {3}}};
  tried.losses->stillborn = 100;
  tried.admit(some_work(1, 5, 20));
  tried.run_out();
  BOOST_REQUIRE(tried.ended.has_value());
  BOOST_TEST(tried.ended->exit_code == 1);
  BOOST_TEST(tried.ended->text.find("lost 5 times in a row") !=
             std::string::npos);
  BOOST_TEST(tried.ended->text.find("executor.device") != std::string::npos);
  BOOST_TEST((tried.health().state == HealthState::failing));
  BOOST_REQUIRE(tried.log->failed_all.size() == 1u);
  BOOST_TEST((tried.log->failed_all[0] == ErrorCode::executor_failed));
  BOOST_TEST(tried.losses->lives == 1u + 4u);
}

BOOST_AUTO_TEST_CASE(requests_can_be_cancelled_while_it_is_away) {
  restart_fixture tried{{}, {.fatal = {4}}};
  tried.losses->stillborn = 1;
  tried.admit(some_work(1, 5, 40));
  tried.admit(some_work(2, 5, 40));
  tried.run();
  BOOST_TEST((tried.health().state == HealthState::recovering));
  messages::StopT order;
  order.request = 1;
  order.reason = messages::FinishReason::cancelled;
  caf::anon_send(tried.lane, messages::pack<messages::Stop>(order));
  tried.run();
  BOOST_TEST(tried.log->outcomes.size() == 1u); // at once
  tried.admit(some_work(3, 5, 4));              // and others may come
  tried.run_out();
  BOOST_TEST(tried.log->outcomes.size() == 3u);
  BOOST_TEST(tried.failed().empty());
}

BOOST_AUTO_TEST_CASE(any_other_error_fails_its_step_alone) {
  restart_fixture tried{{}, {.fatal = {3}, .sticky = false}};
  tried.admit(some_work(1, 5, 20));
  tried.run_out();
  BOOST_TEST(tried.failed() == std::vector<request_number>{1},
             boost::test_tools::per_element());
  BOOST_TEST(tried.losses->lives == 1u);
  tried.admit(some_work(2, 5, 4));
  tried.run_out();
  BOOST_TEST(tried.streams().size() == 1u);
}

BOOST_AUTO_TEST_SUITE_END()
