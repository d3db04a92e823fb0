// SPDX-License-Identifier: Apache-2.0
// A lane's memory is taken at once: it is enough, or it is refused.
#include "model/cuda/cuda_device.hpp"
#include "model/engine.hpp"
#include "tests/model/engine/plan_driver.hpp"
#include "tests/model/engine/tiny_model.hpp"

#include <boost/test/unit_test.hpp>

using namespace sluice;
using namespace sluice::test;

namespace {

bool names_numbers_and_remedy(const std::runtime_error& error) {
  const std::string text = error.what();
  BOOST_TEST_MESSAGE(text);
  return text.find("GiB") != std::string::npos &&
         text.find("KV pages") != std::string::npos &&
         text.find("fewer pages") != std::string::npos;
}

constexpr std::uint32_t crowd = 70; // more with penalties than a slice holds

/// What sequences sample after two tokens, so many of them a step.
std::vector<std::uint32_t> tokens_of(std::uint32_t each_step) {
  engine device{std::make_unique<cuda_device>(cuda_options{})};
  device.add_lane(tiny_model({}), {.kv_pages = 128, .max_step_tokens = 256});
  plan_driver driver{device, 0};
  std::vector<std::uint32_t> tokens;
  for (std::uint32_t first = 0; first < crowd; first += each_step) {
    for (auto key = first; key < std::min(first + each_step, crowd); ++key) {
      auto sampling = greedy();
      sampling.repetition_penalty = 1.5f;
      driver.join({.key = key, .prompt = {1, 2}, .sampling = sampling});
      driver.add({key, 0, {key % 50, 2 + key % 3}, 1});
    }
    for (const auto& row : driver.run().rows) {
      BOOST_REQUIRE(row->code == messages::ErrorCode::none);
      tokens.push_back(row->tokens.at(0));
    }
  }
  return tokens;
}

} // namespace

BOOST_AUTO_TEST_SUITE(cuda_lane_memory)

BOOST_AUTO_TEST_CASE(more_pages_than_fit_are_refused_when_the_lane_is_made) {
  engine device{std::make_unique<cuda_device>(cuda_options{})};
  BOOST_CHECK_EXCEPTION(device.add_lane(tiny_model({}), {.kv_pages = 1u << 30}),
                        cuda::out_of_device_memory, names_numbers_and_remedy);
  device.add_lane(tiny_model({}), {.kv_pages = 8}); // it can be tried again
}

BOOST_AUTO_TEST_CASE(the_way_of_the_weights_is_told_from_nothing_to_all) {
  engine device{std::make_unique<cuda_device>(cuda_options{})};
  std::vector<std::pair<std::uint64_t, std::uint64_t>> told;
  device.add_lane(tiny_model({}), {.kv_pages = 8},
                  [&](std::uint64_t done, std::uint64_t total) {
                    told.emplace_back(done, total);
                  });
  BOOST_REQUIRE(told.size() > 2u);
  BOOST_TEST(std::ranges::is_sorted(told));
  BOOST_TEST(told.front().first == 0u);
  BOOST_TEST(told.back().first == device.facts(0).weight_bytes);
  BOOST_TEST(told.back().second == told.back().first);
}

BOOST_AUTO_TEST_CASE(the_pages_that_are_said_to_fit_do) {
  const cuda_options options{.memory_percent = 10};
  cuda_device device{options};
  const auto model = tiny_model({});
  lane_options lane{.kv_pages = 1, .host_slots = 4};
  const auto page = kv_page_bytes(shape_of(model->arch, lane));
  const auto bytes = device.kv_bytes_beside(*model, lane).value();
  lane.kv_pages = static_cast<std::uint32_t>(bytes / page);
  BOOST_TEST(device.make_lane(model, lane, {})->bytes().kv ==
             lane.kv_pages * page);
  ++lane.kv_pages;
  BOOST_CHECK_THROW(device.make_lane(model, lane, {}),
                    cuda::out_of_device_memory);
}

BOOST_AUTO_TEST_CASE(what_no_slice_holds_is_chosen_in_slices) {
  const auto together = tokens_of(crowd);
  BOOST_TEST(together == tokens_of(crowd / 2),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_bias_that_is_too_long_fails_its_row_alone) {
  engine device{std::make_unique<cuda_device>(cuda_options{})};
  device.add_lane(tiny_model({}), {.kv_pages = 8});
  plan_driver driver{device, 0};
  auto biased = greedy();
  biased.logit_bias.assign(1u << 15, {3, 0.001f});
  driver.join({.key = 1, .prompt = {1}, .sampling = greedy()});
  driver.join({.key = 2, .prompt = {1}, .sampling = biased});
  driver.join({.key = 3, .prompt = {1}, .sampling = greedy()});
  for (const std::uint64_t key : {1, 2, 3})
    driver.add({key, 0, {1}, 0});
  const auto result = driver.run();
  BOOST_TEST(result.rows.at(0)->tokens.size() == 1u);
  BOOST_TEST((result.rows.at(1)->code == messages::ErrorCode::internal));
  BOOST_TEST((result.rows.at(2)->tokens == result.rows.at(0)->tokens));
}

BOOST_AUTO_TEST_SUITE_END()
