// SPDX-License-Identifier: Apache-2.0
// An executor of two lanes whose device is lost: which plans it answers.
#include "actors/executor.hpp"

#include <boost/test/unit_test.hpp>

#include "model/cpu_device.hpp"
#include "model/engine.hpp"
#include "tests/model/engine/tiny_model.hpp"
#include "tests/support/actor_fixture.hpp"
#include "tests/support/lossy_device.hpp"
#include "tests/support/mock_lane.hpp"

using namespace sluice;
using namespace sluice::tests;

namespace {

using result_frame = frame<messages::StepResult>;

/// What batchers heard, by lane.
struct lane_log {
  std::vector<std::uint64_t> results; // numbers of plans
  std::vector<messages::ErrorCode> codes;
  std::vector<std::uint64_t> lives;
};

struct lost_executor_fixture : actor_fixture {
  lost_executor_fixture() {
    auto made = std::make_shared<sluice::engine>(
        device_source{.make = [wrap = losing(losses)] {
          return wrap(std::make_unique<cpu_device>(engine_options{}));
        }});
    for (std::uint32_t i = 0; i < 2; ++i)
      made->add_lane(test::tiny_model({}), {.kv_pages = 8});
    device = keep(system.spawn(executor, std::move(made)));
    for (std::uint32_t i = 0; i < 2; ++i)
      caf::anon_send(device, open_atom::value, i, keep(batcher_of(i)));
    run();
  }

  batcher_actor batcher_of(std::uint32_t lane) {
    return system.spawn([this, lane]() -> batcher_actor::behavior_type {
      return {[](const frame<messages::Admit>&) {},
              [](const frame<messages::Stop>&) {},
              [](const frame<messages::PageGrant>&) {},
              [this, lane](const result_frame& result) {
                logs[lane].results.push_back(result->number());
                logs[lane].codes.push_back(result->code());
              },
              [this, lane](renew_atom, std::uint64_t life) {
                logs[lane].lives.push_back(life);
              },
              [](report_atom) { return batcher_report{}; }};
    });
  }

  /// A plan of one new sequence of one token.
  void plan(std::uint32_t lane, std::uint64_t number) {
    messages::StepPlanT plan;
    plan.lane = lane;
    plan.number = number;
    plan.joined.push_back(std::make_unique<messages::SequenceStateT>());
    plan.joined[0]->sequence = number;
    plan.joined[0]->sampling = std::make_unique<messages::SamplingT>();
    plan.joined[0]->pages = {0};
    plan.rows.push_back(std::make_unique<messages::PlanRowT>());
    plan.rows[0]->sequence = number;
    plan.rows[0]->tokens = {5};
    caf::anon_send(device, messages::pack<messages::StepPlan>(plan));
    run();
  }

  void attach(std::uint32_t lane, std::uint64_t life) {
    messages::AttachT state;
    state.lane = lane;
    state.life = life;
    caf::anon_send(device, messages::pack<messages::Attach>(state));
    run();
  }

  /// Asks to hear of the next loss.
  void watch() {
    const auto watcher = system.spawn([this](caf::event_based_actor* actor) {
      actor->request(device, caf::infinite, lost_atom::value)
          .then([this](const std::string& why) { lost.push_back(why); });
    });
    keep(watcher);
    run();
  }

  std::string renew() { return ask<std::string>(device, renew_atom::value); }

  loss_script_ptr losses = std::make_shared<loss_script>();
  executor_actor device;
  lane_log logs[2];
  std::vector<std::string> lost;
};

using numbers = std::vector<std::uint64_t>;

} // namespace

BOOST_FIXTURE_TEST_SUITE(executor_restart, lost_executor_fixture)

BOOST_AUTO_TEST_CASE(plans_of_a_life_that_is_over_are_void) {
  watch();
  losses->fatal = {2};
  plan(0, 1);
  plan(0, 2); // it is lost in this one
  plan(1, 1);
  BOOST_TEST(lost.size() == 1u);
  BOOST_TEST(renew().empty());
  BOOST_TEST(logs[0].lives == numbers{1}, boost::test_tools::per_element());
  BOOST_TEST(logs[1].lives == numbers{1}, boost::test_tools::per_element());
  plan(0, 3); // its batcher had not heard of the new life
  attach(0, 1);
  plan(0, 4);
  plan(1, 2); // and the other's still has not
  BOOST_TEST(logs[0].results == (numbers{1, 4}),
             boost::test_tools::per_element());
  BOOST_TEST(logs[1].results.empty());
  attach(1, 1);
  plan(1, 3);
  BOOST_TEST(logs[1].results == numbers{3}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(who_attaches_to_the_life_before_waits_for_the_next) {
  watch();
  losses->fatal = {1, 2};
  plan(0, 1);
  BOOST_TEST(renew().empty());
  attach(0, 1);
  plan(0, 2); // lost again, before the other lane attaches
  attach(1, 1);
  watch(); // told at once
  BOOST_TEST(lost.size() == 2u);
  BOOST_TEST(renew().empty());
  attach(1, 1);
  plan(1, 1);
  BOOST_TEST(logs[1].results.empty());
  attach(1, 2);
  plan(1, 2);
  BOOST_TEST(logs[1].results == numbers{2}, boost::test_tools::per_element());
  BOOST_TEST(logs[1].lives == (numbers{1, 2}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(one_that_nobody_watches_fails_its_steps) {
  losses->fatal = {1};
  plan(0, 1);
  plan(1, 1);
  BOOST_TEST(logs[0].results.size() == 1u);
  BOOST_TEST((logs[0].codes[0] == messages::ErrorCode::executor_failed));
  BOOST_TEST((logs[1].codes[0] == messages::ErrorCode::none));
}

BOOST_AUTO_TEST_CASE(what_cannot_be_made_says_why) {
  watch();
  losses->fatal = {1};
  plan(0, 1);
  losses->stillborn = 1;
  BOOST_TEST(renew().find("broken, too") != std::string::npos);
  BOOST_TEST(logs[0].lives.empty());
  plan(0, 2);
  BOOST_TEST(logs[0].results.empty());
  BOOST_TEST(renew().empty());
  BOOST_TEST(logs[0].lives == numbers{1}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
