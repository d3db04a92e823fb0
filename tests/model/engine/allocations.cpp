// SPDX-License-Identifier: Apache-2.0
// A step allocates nothing: every buffer has the size of the largest step, or
// was made when its sequence joined.
#include "tests/model/engine/allocation_count.hpp"
#include "tests/model/engine/plan_driver.hpp"
#include "tests/model/engine/tiny_model.hpp"

#include "kernels/select.hpp"

#include <boost/test/unit_test.hpp>

#include <memory>
#include <string>
#include <vector>

using namespace sluice;
using namespace sluice::test;

namespace {

struct way_of_sampling {
  const char* name;
  messages::SamplingT sampling;
};

std::vector<way_of_sampling> ways_of_sampling() {
  std::vector<way_of_sampling> ways{
      {"greedy", greedy()},    {"temperature", {}}, {"filters", {}},
      {"penalties", greedy()}, {"bias", greedy()},  {"logprobs", greedy()}};
  ways[2].sampling.temperature = 0.8f;
  ways[2].sampling.top_p = 0.95f;
  ways[2].sampling.min_p = 0.01f;
  ways[3].sampling.repetition_penalty = 1.2f;
  ways[3].sampling.frequency_penalty = 0.3f;
  ways[4].sampling.logit_bias = {{3, 1.5f}};
  ways[5].sampling.logprobs = 4;
  return ways;
}

/// Sequences that have joined and decode together.
class crowd {
public:
  crowd(dtype type, std::uint32_t size, const messages::SamplingT& sampling)
      : device_{{.threads = 2, .isa = detect()}}, size_{size} {
    device_.add_lane(tiny_model({.type = type, .vocab = 3000}),
                     {.kv_pages = 8 * size, .max_step_tokens = 16 * size});
    driver_ = std::make_unique<plan_driver>(device_, 0);
    for (std::uint64_t key = 0; key < size; ++key)
      driver_->join({.key = key, .prompt = prompt, .sampling = sampling});
  }

  /// A chunk of every prompt.
  std::size_t chunk(std::uint32_t first, std::uint32_t count) {
    const bool last = first + count == prompt.size();
    for (std::uint64_t key = 0; key < size_; ++key)
      driver_->add(
          {.sequence = key,
           .start = first,
           .tokens = {prompt.begin() + first, prompt.begin() + first + count},
           .sample_from = last ? count - 1 : count});
    position_ = first + count;
    return run();
  }

  /// One more token each.
  std::size_t decode() {
    ++position_;
    for (std::uint32_t key = 0; key < size_; ++key)
      driver_->add_sampled(key, position_ - 1, plan_, key);
    return run();
  }

  const std::vector<std::uint32_t> prompt =
      std::vector<std::uint32_t>(32, 17); // four chunks

private:
  std::size_t run() {
    const auto result = driver_->run();
    BOOST_REQUIRE(result.rows.size() == size_);
    for (const auto& row : result.rows)
      BOOST_REQUIRE_MESSAGE(row->code == messages::ErrorCode::none, row->text);
    plan_ = result.number;
    return driver_->allocations();
  }

  engine device_;
  std::uint32_t size_;
  std::unique_ptr<plan_driver> driver_;
  std::uint32_t position_ = 0;
  std::uint64_t plan_ = 0;
};

/// A chunk of a text whose every token is scored.
given_row scored_chunk(std::uint32_t start) {
  return {.sequence = 0,
          .start = start,
          .tokens = std::vector<std::uint32_t>(8, 17),
          .sample_from = 8,
          .next_tokens = std::vector<std::uint32_t>(8, 17)};
}

void expect_no_allocations(dtype type, std::uint32_t batch,
                           const way_of_sampling& way) {
  BOOST_TEST_CONTEXT(way.name << ", " << name(type) << ", batch " << batch) {
    crowd sequences{type, batch, way.sampling};
    sequences.chunk(0, 8); // they join
    sequences.chunk(8, 8); // its result is the first of its size
    BOOST_TEST(sequences.chunk(16, 8) == 0u);
    sequences.chunk(24, 8);
    sequences.decode();
    for (int step = 0; step < 40; ++step) // more than two pages
      BOOST_TEST(sequences.decode() == 0u);
  }
}

} // namespace

BOOST_AUTO_TEST_SUITE(allocations)

BOOST_AUTO_TEST_CASE(the_count_counts) {
  const allocation_count here;
  const auto some = std::make_unique<std::string>(100, 'x');
  BOOST_TEST(some->size() == 100u);
  BOOST_TEST((here.count() >= 2) == allocation_count::works());
}

BOOST_AUTO_TEST_CASE(a_step_allocates_nothing) {
  for (const auto batch : {1u, 8u, 32u})
    for (const auto& way : ways_of_sampling())
      expect_no_allocations(dtype::f32, batch, way);
}

BOOST_AUTO_TEST_CASE(scoring_allocates_nothing) {
  engine device{{.threads = 2, .isa = detect()}};
  device.add_lane(tiny_model({.vocab = 3000}),
                  {.kv_pages = 8, .max_step_tokens = 16});
  plan_driver driver{device, 0};
  driver.join({.key = 0, .prompt = {}, .sampling = {}, .top_scores = 4});
  for (std::uint32_t start = 0; start < 96; start += 8) {
    driver.add(scored_chunk(start));
    const auto result = driver.run();
    BOOST_REQUIRE(result.rows.at(0)->scores);
    BOOST_TEST(result.rows[0]->scores->top_tokens.size() == 32u);
    if (start >= 16) // they have joined, and results have their size
      BOOST_TEST(driver.allocations() == 0u);
  }
}

BOOST_AUTO_TEST_CASE(no_weight_type_makes_a_step_allocate) {
  for (const auto type : {dtype::f16, dtype::bf16, dtype::q8_0, dtype::q4_0})
    expect_no_allocations(type, 8, ways_of_sampling()[2]);
}

BOOST_AUTO_TEST_SUITE_END()
