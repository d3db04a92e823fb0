// SPDX-License-Identifier: Apache-2.0
#include "actors/executor.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "model/engine.hpp"
#include "tests/support/actor_fixture.hpp"
#include "tests/support/mock_lane.hpp"

using namespace sluice;
using namespace sluice::actors;
using namespace sluice::tests;

namespace {

/// Comes when the test says so.
class told_end : public step_end {
public:
  void reach() {
    const std::lock_guard lock{mutex_};
    reached_ = true;
    changed_.notify_all();
  }
  void begin() {
    const std::lock_guard lock{mutex_};
    reached_ = false;
  }
  bool reached() const override {
    const std::lock_guard lock{mutex_};
    return reached_;
  }
  void wait() const override {
    std::unique_lock lock{mutex_};
    changed_.wait(lock, [this] { return reached_; });
  }

private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  bool reached_ = false;
};

/// What a device was asked, and when its steps end.
struct device_log {
  std::vector<std::string> calls;
  std::array<told_end, most_started_steps> ends; // by place
  bool works_by_itself = true;
};

/// Computes nothing.
class logging_lane : public lane_device {
public:
  explicit logging_lane(device_log& log) : log_{log} {}

  const step_end* start(const messages::StepPlan& plan, const logits_observer&,
                        const device_step& step) override {
    if (plan.left())
      throw std::runtime_error{"the device does not like this plan"};
    log_.calls.push_back("start " + std::to_string(plan.number()));
    if (!log_.works_by_itself)
      return nullptr;
    log_.ends.at(step.place).begin();
    return &log_.ends.at(step.place);
  }
  void finish(const device_step& step) override {
    if (log_.works_by_itself)
      log_.ends.at(step.place).wait();
    log_.calls.push_back("finish " + std::to_string(step.answer.number()));
  }
  device_bytes bytes() const override { return {}; }

private:
  device_log& log_;
};

class logging_device : public compute_device {
public:
  explicit logging_device(device_log& log) : log_{log} {}
  std::string name() const override { return "log"; }
  const weight_packing* packing() const override { return nullptr; }
  std::unique_ptr<lane_device> make_lane(std::shared_ptr<const loaded_model>,
                                         const lane_options&,
                                         const progress_fn&) override {
    return std::make_unique<logging_lane>(log_);
  }

private:
  device_log& log_;
};

struct executor_fixture : actor_fixture {
  explicit executor_fixture(bool works_by_itself = true) {
    device.works_by_itself = works_by_itself;
    auto works =
        std::make_shared<engine>(std::make_unique<logging_device>(device));
    works->add_lane(std::make_shared<loaded_model>(), {.kv_pages = 1});
    runs = keep(system.spawn(executor, std::move(works)));
    caf::anon_send(runs, open_atom::value, std::uint32_t{0},
                   keep(mock_batcher(system, log)));
    run();
  }

  ~executor_fixture() {
    for (auto& end : device.ends)
      end.reach();
    caf::anon_send_exit(runs, caf::exit_reason::user_shutdown);
    run(); // before what its device writes into goes
  }

  void plan(std::uint64_t number, bool bad = false) {
    messages::StepPlanT plan;
    plan.number = number;
    if (bad)
      plan.left = {1};
    caf::anon_send(runs, messages::pack<messages::StepPlan>(plan));
    run();
  }

  /// The watch is a thread of its own.
  void await_results(std::size_t count) {
    using namespace std::chrono_literals;
    for (int i = 0; i < 5000 && log->results.size() < count; ++i) {
      std::this_thread::sleep_for(1ms);
      run();
    }
    BOOST_REQUIRE(log->results.size() == count);
    BOOST_TEST(log->results.back()->number() == count);
  }

  void expect_calls(const std::vector<std::string>& wanted) {
    BOOST_TEST(device.calls == wanted, boost::test_tools::per_element());
  }

  device_log device;
  heard_ptr log = std::make_shared<heard>();
  executor_actor runs;
};

struct blocking_fixture : executor_fixture {
  blocking_fixture() : executor_fixture{false} {}
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(executor_steps, executor_fixture)

BOOST_AUTO_TEST_CASE(the_next_plan_is_started_before_the_last_one_is_done) {
  plan(1);
  plan(2);
  expect_calls({"start 1", "start 2"});
  BOOST_TEST(log->results.empty());
  device.ends[0].reach();
  await_results(1);
  plan(3);
  expect_calls({"start 1", "start 2", "finish 1", "start 3"});
  device.ends[1].reach();
  await_results(2);
  device.ends[0].reach();
  await_results(3);
}

BOOST_AUTO_TEST_CASE(no_more_than_two_are_under_way) {
  plan(1);
  plan(2);
  std::thread device_thread{[this] {
    std::this_thread::sleep_for(std::chrono::milliseconds{20});
    device.ends[0].reach();
  }};
  plan(3); // waits
  device_thread.join();
  expect_calls({"start 1", "start 2", "finish 1", "start 3"});
}

BOOST_AUTO_TEST_CASE(a_step_that_fails_at_once_is_answered_in_its_turn) {
  plan(1);
  plan(2, true);
  BOOST_TEST(log->results.empty());
  device.ends[0].reach();
  await_results(2);
  BOOST_TEST((log->results[0]->code() == messages::ErrorCode::none));
  BOOST_TEST((log->results[1]->code() == messages::ErrorCode::executor_failed));
}

BOOST_AUTO_TEST_CASE(steps_are_finished_before_sequences_are_replaced) {
  plan(1);
  device.ends[0].reach();
  caf::anon_send(runs, messages::pack<messages::Attach>(messages::AttachT{}));
  run();
  BOOST_TEST(log->results.size() == 1u);
}

BOOST_FIXTURE_TEST_CASE(a_device_that_is_done_at_once_answers_at_once,
                        blocking_fixture) {
  plan(1);
  BOOST_TEST(log->results.size() == 1u);
  plan(2);
  expect_calls({"start 1", "finish 1", "start 2", "finish 2"});
  BOOST_TEST(log->results.size() == 2u);
}

BOOST_AUTO_TEST_SUITE_END()
