// SPDX-License-Identifier: Apache-2.0
// KV that a sequence did not compute, or not where it lies now: copied from
// another sequence's pages, swapped to host memory and back.
#include "tests/model/engine/engine_fixture.hpp"

#include <boost/test/unit_test.hpp>

using namespace sluice;
using namespace sluice::test;

namespace {

constexpr std::uint32_t generated = 6;

messages::SamplingT with_penalties() {
  auto sampling = greedy();
  sampling.temperature = 0.9f;
  sampling.repetition_penalty = 1.4f;
  sampling.frequency_penalty = 0.5f;
  sampling.want_logprobs = true;
  return sampling;
}

sequence_start start_of(std::uint64_t key) {
  return {.key = key,
          .prompt = {5, 9, 2, 33, 7, 7, 41, 12, 8, 3, 60, 5},
          .sampling = with_penalties(),
          .seed = 11};
}

struct moving_fixture {
  explicit moving_fixture(dtype kv_type = dtype::f16)
      : device{{.isa = instruction_set::portable}} {
    device.add_lane(tiny_model({}), {.kv_pages = 32,
                                     .kv_type = kv_type,
                                     .max_step_tokens = 64,
                                     .host_slots = 4});
    driver = std::make_unique<plan_driver>(device, 0);
  }

  /// The one page of a short sequence.
  page_id page_of(std::uint64_t key) const {
    return driver->pages().pages_of(key).front();
  }

  /// As run_alone(), but the sequence stays.
  generation begin(const sequence_start& start, std::uint32_t count) {
    driver->join(start);
    const auto size = static_cast<std::uint32_t>(start.prompt.size());
    driver->add({start.key, 0, start.prompt, size - 1});
    const auto row = std::move(driver->run().rows.at(0));
    generation made{{row->tokens.at(0)}, {row->logprobs.at(0)->logprob}};
    for (std::uint32_t i = 1; i < count; ++i) {
      driver->add({start.key, size + i - 1, {made.tokens.back()}, 0});
      const auto next = std::move(driver->run().rows.at(0));
      made.tokens.push_back(next->tokens.at(0));
      made.logprobs.push_back(next->logprobs.at(0)->logprob);
    }
    return made;
  }

  /// Goes on, one token a step.
  std::vector<std::uint32_t> decode(std::uint64_t key, std::uint32_t position,
                                    std::uint32_t token, std::uint32_t count) {
    std::vector<std::uint32_t> tokens;
    for (std::uint32_t i = 0; i < count; ++i) {
      driver->add({key, position + i, {token}, 0});
      const auto result = driver->run();
      BOOST_REQUIRE(result.rows.at(0)->code == messages::ErrorCode::none);
      tokens.push_back(token = result.rows.at(0)->tokens.at(0));
    }
    return tokens;
  }

  void give_table(std::uint64_t key, page_id page) {
    auto delta = std::make_unique<messages::PageDeltaT>();
    delta->sequence = key;
    delta->pages = {page};
    driver->plan().pages.push_back(std::move(delta));
  }

  engine device;
  std::unique_ptr<plan_driver> driver;
};

} // namespace

BOOST_AUTO_TEST_SUITE(page_moves)

BOOST_AUTO_TEST_CASE(a_copy_is_as_good_as_computing) {
  for (const auto kv_type : {dtype::f16, dtype::i8, dtype::f8_e4m3}) {
    moving_fixture lane{kv_type};
    const auto first = start_of(1);
    const auto expected = lane.begin(first, generated);
    auto second = start_of(2);
    lane.driver->join(second);
    auto& state = *lane.driver->plan().joined.back();
    const auto known = static_cast<std::uint32_t>(second.prompt.size()) - 1;
    state.tokens = second.prompt;
    state.computed = known;
    lane.driver->add({2, known, {second.prompt.back()}, 0});
    lane.driver->plan().copies.push_back(
        messages::PageCopy{lane.page_of(1), lane.page_of(2)});
    const auto result = lane.driver->run();
    const auto& row = *result.rows.at(0);
    BOOST_REQUIRE(row.code == messages::ErrorCode::none);
    BOOST_TEST(row.tokens.at(0) == expected.tokens.at(0));
    BOOST_TEST(row.logprobs.at(0)->logprob == expected.logprobs.at(0));
    const auto rest =
        lane.decode(2, known + 1, row.tokens.at(0), generated - 1);
    BOOST_TEST(rest == std::vector<std::uint32_t>(expected.tokens.begin() + 1,
                                                  expected.tokens.end()),
               boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_CASE(a_swapped_sequence_goes_on_as_if_nothing_were) {
  for (const auto kv_type : {dtype::bf16, dtype::i8, dtype::f8_e4m3}) {
    moving_fixture quiet{kv_type};
    const auto start = start_of(1);
    const auto expected = quiet.begin(start, generated);
    moving_fixture lane{kv_type};
    const auto begun = lane.begin(start, 2);
    const auto home = lane.page_of(1);
    lane.driver->plan().swaps_out.push_back(messages::PageSwap{home, 3});
    lane.driver->join(start_of(9)); // writes over the page meanwhile
    lane.give_table(9, home);
    auto row = std::make_unique<messages::PlanRowT>();
    row->sequence = 9;
    row->tokens = {1, 2, 3};
    row->sample_from = 2;
    lane.driver->plan().rows.push_back(std::move(row));
    BOOST_REQUIRE(lane.driver->run().rows.at(0)->code ==
                  messages::ErrorCode::none);
    const page_id elsewhere = 31;
    lane.driver->plan().swaps_in.push_back(messages::PageSwap{elsewhere, 3});
    lane.driver->run(); // a plan may only move
    const auto position = static_cast<std::uint32_t>(start.prompt.size()) + 1;
    lane.driver->add({1, position, {begun.tokens.back()}, 0});
    lane.driver->plan().pages.clear();
    lane.give_table(1, elsewhere);
    const auto result = lane.driver->run();
    BOOST_REQUIRE(result.rows.at(0)->code == messages::ErrorCode::none);
    BOOST_TEST(result.rows.at(0)->tokens.at(0) == expected.tokens.at(2));
    BOOST_TEST(result.rows.at(0)->logprobs.at(0)->logprob ==
               expected.logprobs.at(2));
  }
}

BOOST_AUTO_TEST_CASE(moves_that_cannot_be_fail_the_step_and_not_the_lane) {
  using spoil = void (*)(messages::StepPlanT&);
  constexpr spoil table[] = {
      [](auto& plan) {
        plan.copies.push_back(messages::PageCopy{0, 32});
      },
      [](auto& plan) {
        plan.copies.push_back(messages::PageCopy{32, 0});
      },
      [](auto& plan) {
        plan.swaps_out.push_back(messages::PageSwap{0, 4});
      },
      [](auto& plan) {
        plan.swaps_in.push_back(messages::PageSwap{99, 0});
      }};
  moving_fixture lane;
  const auto begun = lane.begin(start_of(1), 1);
  for (const auto wrong : table) {
    wrong(lane.driver->plan());
    const auto result = lane.driver->run();
    BOOST_TEST((result.code == messages::ErrorCode::executor_failed));
  }
  const auto position = static_cast<std::uint32_t>(start_of(1).prompt.size());
  BOOST_TEST(lane.decode(1, position, begun.tokens.back(), 1).size() == 1u);
}

BOOST_AUTO_TEST_CASE(more_computed_than_known_fails_the_row) {
  moving_fixture lane;
  lane.driver->join(start_of(1));
  lane.driver->plan().joined.back()->computed = 20;
  lane.driver->add({1, 20, {4}, 0});
  const auto result = lane.driver->run();
  BOOST_TEST((result.rows.at(0)->code == messages::ErrorCode::internal));
  BOOST_TEST(mentions(result.rows.at(0)->text, "give every token"));
}

BOOST_AUTO_TEST_SUITE_END()
