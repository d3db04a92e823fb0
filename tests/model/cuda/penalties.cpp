// SPDX-License-Identifier: Apache-2.0
// Tokens with penalties: the device counts, the host checks.
#include "kernels/sampling.hpp"
#include "model/cuda/cuda_device.hpp"
#include "model/seen_tokens.hpp"
#include "tests/model/engine/plan_driver.hpp"
#include "tests/model/engine/tiny_model.hpp"

#include <boost/test/unit_test.hpp>

#include <map>
#include <stdexcept>

using namespace sluice;
using namespace sluice::test;

namespace {

constexpr std::uint32_t vocab = 100;
constexpr std::uint32_t crowd = 6;
constexpr std::uint32_t generated = 12;

messages::SamplingT sampling_of(std::uint64_t key) {
  messages::SamplingT sampling;
  sampling.temperature = key % 2 ? 1.0f : 0.0f;
  if (key % 3 == 0)
    sampling.repetition_penalty = 1.7f;
  if (key % 3 == 1)
    sampling.frequency_penalty = 0.8f;
  if (key % 4 > 0)
    sampling.presence_penalty = 1.1f;
  return sampling;
}

sequence_start start_of(std::uint64_t key) {
  sequence_start start{
      .key = key, .prompt = {}, .sampling = sampling_of(key), .seed = key + 5};
  for (std::uint64_t i = 0; i < 3 + key; ++i)
    start.prompt.push_back(static_cast<std::uint32_t>((key * i) % 10));
  return start;
}

/// What the CPU makes of logits after these tokens.
std::uint32_t chosen_on_host(std::span<float> logits,
                             const sequence_start& start,
                             std::span<const std::uint32_t> tokens) {
  seen_tokens seen{vocab, vocab};
  for (std::size_t i = 0; i < tokens.size(); ++i)
    seen.add(static_cast<std::int32_t>(tokens[i]), i >= start.prompt.size());
  std::vector<std::uint64_t> room(sample_workspace_bytes(vocab) / 8 + 1);
  const auto& s = start.sampling;
  const auto found =
      sample({.logits = logits,
              .params = {.temperature = s.temperature,
                         .repetition_penalty = s.repetition_penalty,
                         .frequency_penalty = s.frequency_penalty,
                         .presence_penalty = s.presence_penalty},
              .bias = {},
              .counts = seen.list(),
              .allowed = {},
              .key = {start.seed, start.index,
                      static_cast<std::uint32_t>(tokens.size())},
              .top = {},
              .workspace = std::as_writable_bytes(std::span{room})});
  return static_cast<std::uint32_t>(found.token);
}

/// Decodes side by side, with drafts now and then; the device's logits become
/// the tokens that are expected of it.
class crowd_run {
public:
  explicit crowd_run(const lane_options& options)
      : device_{std::make_unique<cuda_device>(cuda_options{})} {
    device_.add_lane(tiny_model({}), options);
    driver_ = std::make_unique<plan_driver>(device_, 0);
    for (std::uint64_t key = 0; key < crowd; ++key) {
      starts_.push_back(start_of(key));
      tokens_.push_back(starts_.back().prompt);
      driver_->join(starts_.back());
    }
  }

  void observe() {
    device_.observe([this](const logits_row& row) {
      std::vector<float> logits{row.logits.begin(), row.logits.end()};
      const auto& tokens = given_.at(row.sequence);
      expected_[row.sequence].push_back(
          chosen_on_host(logits, starts_[row.sequence],
                         std::span{tokens}.first(row.position + 1)));
    });
  }

  /// Lets a step fail when it has chosen some of its tokens.
  void fail_at(std::uint32_t step) { failing_ = step; }

  /// All tokens of all sequences.
  std::vector<std::vector<std::uint32_t>> run() {
    std::vector<std::uint32_t> done(crowd, 0);
    for (std::uint32_t step = 0; step < generated; ++step) {
      given_.clear();
      expected_.clear();
      std::vector<std::uint64_t> who;
      for (std::uint64_t key = 0; key < crowd; ++key)
        if ((step + key) % 4 > 0)
          who.push_back(key);
      if (step == failing_)
        fail(who, done);
      for (const auto key : who)
        add(key, done[key], step % 5 == 0 ? 2 : 0);
      const auto result = driver_->run();
      for (std::size_t row = 0; row < who.size(); ++row)
        take(who[row], result.rows.at(row)->tokens, done[who[row]]);
    }
    return tokens_;
  }

private:
  void fail(const std::vector<std::uint64_t>& who,
            const std::vector<std::uint32_t>& done) {
    for (const auto key : who)
      add(key, done[key], 1);
    device_.observe([](const logits_row& row) {
      if (row.sequence > 2)
        throw std::runtime_error{"on purpose"};
    });
    BOOST_TEST((driver_->run().code == messages::ErrorCode::executor_failed));
    device_.observe({});
  }

  // Drafts repeat the last token, so that counts of drafts matter.
  void add(std::uint64_t key, std::uint32_t done, std::uint32_t drafts) {
    auto all = tokens_[key];
    all.insert(all.end(), drafts, all.back());
    const auto known = static_cast<std::uint32_t>(tokens_[key].size());
    driver_->add({.sequence = key,
                  .start = done,
                  .tokens = {all.begin() + done, all.end()},
                  .sample_from = known - done - 1});
    given_[key] = std::move(all);
  }

  // The first token is right whatever the drafts were.
  void take(std::uint64_t key, const std::vector<std::uint32_t>& drawn,
            std::uint32_t& done) {
    BOOST_REQUIRE(!drawn.empty());
    if (expected_.contains(key))
      BOOST_TEST(drawn == expected_.at(key), boost::test_tools::per_element());
    done = static_cast<std::uint32_t>(tokens_[key].size());
    tokens_[key].push_back(drawn.front());
  }

  engine device_;
  std::unique_ptr<plan_driver> driver_;
  std::vector<sequence_start> starts_;
  std::vector<std::vector<std::uint32_t>> tokens_;
  std::map<std::uint64_t, std::vector<std::uint32_t>> given_; // in this step
  std::map<std::uint64_t, std::vector<std::uint32_t>> expected_;
  std::uint32_t failing_ = generated;
};

lane_options options(std::uint32_t kept_counts) {
  return {.kv_pages = 64, .max_step_tokens = 128, .kept_counts = kept_counts};
}

} // namespace

BOOST_AUTO_TEST_SUITE(cuda_penalties)

BOOST_AUTO_TEST_CASE(they_are_those_of_the_cpu) {
  crowd_run observed{options(0)};
  observed.observe();
  const auto tokens = observed.run();
  BOOST_TEST((crowd_run{options(0)}.run() == tokens)); // in graphs
  BOOST_TEST((crowd_run{options(1)}.run() == tokens)); // in slices
  crowd_run failing{options(4)};
  failing.fail_at(7);
  BOOST_TEST((failing.run() == tokens));
}

BOOST_AUTO_TEST_SUITE_END()
