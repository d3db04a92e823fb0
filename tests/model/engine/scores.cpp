// SPDX-License-Identifier: Apache-2.0
// How likely given tokens are: the numbers of PyTorch, and the same bytes
// however the text was cut into chunks and whatever ran beside it.
#include "model/tokenizer/tokenizer.hpp"
#include "tests/model/engine/plan_driver.hpp"
#include "tests/model/engine/tiny_model.hpp"

#include "kernels/select.hpp"

#include <nlohmann/json.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <random>

using namespace sluice;
using namespace sluice::test;

namespace {

constexpr double tolerance = 1e-4; // of the perplexity, relative

using tokens = std::vector<std::uint32_t>;

const std::filesystem::path tests_folder =
    std::filesystem::path{SLUICE_SOURCE_DIR} / "tests";

/// What tools/train/golden_scores.py wrote; the format: tests/golden/README.md.
const nlohmann::json& golden_scores() {
  static const auto content =
      nlohmann::json::parse(std::ifstream{tests_folder / "golden/scores.json"});
  return content;
}

/// A chunk of a text, all of it scored but what nothing follows.
given_row chunk_of(std::uint64_t key, const tokens& text, std::size_t begin,
                   std::size_t length) {
  const auto end = std::min(begin + length, text.size());
  const auto scored = std::min(end, text.size() - 1);
  const auto at = [&](std::size_t i) {
    return text.begin() + static_cast<std::ptrdiff_t>(i);
  };
  return {.sequence = key,
          .start = static_cast<std::uint32_t>(begin),
          .tokens = {at(begin), at(end)},
          .sample_from = static_cast<std::uint32_t>(end - begin),
          .next_tokens = {at(begin + 1), at(std::max(begin, scored) + 1)}};
}

/// Adds the scores of one answer to those before it.
void append(messages::TokenScoresT& all, const messages::RowResultT& answer) {
  BOOST_REQUIRE_MESSAGE(answer.code == messages::ErrorCode::none, answer.text);
  BOOST_REQUIRE(answer.scores);
  const auto& more = *answer.scores;
  BOOST_TEST(more.first == all.tokens.size() + 1);
  const auto add = [](auto& to, const auto& from) {
    to.insert(to.end(), from.begin(), from.end());
  };
  add(all.tokens, more.tokens);
  add(all.logprobs, more.logprobs);
  add(all.ranks, more.ranks);
  add(all.top_tokens, more.top_tokens);
  add(all.top_logprobs, more.top_logprobs);
}

/// Scores one text alone, in chunks.
messages::TokenScoresT scores_of(engine& device, const tokens& text,
                                 std::size_t chunk, std::uint32_t top = 0) {
  plan_driver driver{device, 0};
  driver.join({.key = 1, .prompt = text, .sampling = {}, .top_scores = top});
  messages::TokenScoresT all;
  for (std::size_t at = 0; at + 1 < text.size(); at += chunk) {
    driver.add(chunk_of(1, text, at, chunk));
    append(all, *driver.run().rows.at(0));
  }
  return all;
}

double perplexity(const std::vector<float>& logprobs) {
  double sum = 0;
  for (const auto logprob : logprobs)
    sum += static_cast<double>(logprob);
  return std::exp(-sum / static_cast<double>(logprobs.size()));
}

double check_perplexity(const std::string& what,
                        const messages::TokenScoresT& found,
                        const nlohmann::json& golden) {
  const double expected = golden.at("perplexity");
  const auto value = perplexity(found.logprobs);
  const auto error = std::abs(value - expected) / expected;
  BOOST_TEST_MESSAGE(what << ": perplexity " << value << ", PyTorch "
                          << expected << ", relative error " << error);
  BOOST_TEST(error <= tolerance);
  return error;
}

void expect_same_bytes(const messages::TokenScoresT& a,
                       const messages::TokenScoresT& b) {
  BOOST_TEST(a.tokens == b.tokens, boost::test_tools::per_element());
  BOOST_TEST(a.logprobs == b.logprobs, boost::test_tools::per_element());
  BOOST_TEST(a.ranks == b.ranks, boost::test_tools::per_element());
  BOOST_TEST(a.top_tokens == b.top_tokens, boost::test_tools::per_element());
  BOOST_TEST(a.top_logprobs == b.top_logprobs,
             boost::test_tools::per_element());
}

tokens random_text(std::uint32_t seed, std::size_t length) {
  std::mt19937 random{seed};
  tokens text(length);
  for (auto& token : text)
    token = random() % 100;
  return text;
}

/// Scores several texts at once while another sequence generates; a random
/// part of each goes into every step.
std::vector<messages::TokenScoresT>
scores_in_a_crowd(engine& device, const std::vector<tokens>& texts,
                  std::uint32_t seed) {
  plan_driver driver{device, 0};
  std::mt19937 random{seed};
  std::vector<messages::TokenScoresT> all(texts.size());
  std::vector<std::size_t> planned(texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i)
    driver.join(
        {.key = i, .prompt = texts[i], .sampling = {}, .top_scores = 3});
  driver.join({.key = 99, .prompt = {5}, .sampling = greedy()});
  for (std::uint32_t step = 0;; ++step) {
    std::vector<std::size_t> rows;
    driver.add({99, step, {5 + step % 7}, 0});
    for (std::size_t i = 0; i < texts.size(); ++i) {
      if (planned[i] + 1 >= texts[i].size() || random() % 4 == 0)
        continue;
      const auto length = 1 + random() % 20;
      driver.add(chunk_of(i, texts[i], planned[i], length));
      planned[i] = std::min(planned[i] + length, texts[i].size());
      rows.push_back(i);
    }
    const auto result = driver.run();
    for (std::size_t r = 0; r < rows.size(); ++r)
      append(all[rows[r]], *result.rows.at(r + 1));
    if (std::ranges::equal(planned, texts, [](auto done, const auto& text) {
          return done + 1 >= text.size();
        }))
      return all;
  }
}

} // namespace

BOOST_AUTO_TEST_SUITE(scores)

BOOST_AUTO_TEST_CASE(golden_models_have_the_perplexity_of_pytorch) {
  for (const auto& [name, golden] : golden_scores().at("models").items())
    for (const auto isa : available_instruction_sets()) {
      engine device{{.isa = isa}};
      const auto model = load_model(tests_folder / "golden" / name,
                                    {.packing = device.packing()});
      device.add_lane(model, {.kv_pages = 4, .kv_type = dtype::f32});
      const auto found = scores_of(device, golden.at("tokens"), 7);
      check_perplexity(name + ", " + std::string{sluice::name(isa)}, found,
                       golden);
      for (std::size_t i = 0; i < found.logprobs.size(); ++i)
        BOOST_TEST(std::abs(found.logprobs[i] -
                            golden["logprobs"][i].get<double>()) <= 1e-3);
    }
}

BOOST_AUTO_TEST_CASE(pebble_has_the_perplexity_of_pytorch) {
  const auto model = load_model(tests_folder / "models/pebble");
  for (const auto type : {dtype::f32, dtype::f16}) {
    engine device{{.threads = 2}};
    device.add_lane(model, {.kv_pages = 40, .kv_type = type});
    std::vector<float> all;
    for (const auto& row : golden_scores().at("texts")) {
      const auto text = model->text->encode(row.at("text").get<std::string>());
      BOOST_TEST(text == row.at("tokens").get<tokens>(),
                 boost::test_tools::per_element());
      const auto found = scores_of(device, text, 64);
      all.insert(all.end(), found.logprobs.begin(), found.logprobs.end());
    }
    messages::TokenScoresT corpus;
    corpus.logprobs = all;
    check_perplexity("pebble, KV " + std::string{name(type)}, corpus,
                     golden_scores().at("corpus"));
  }
}

BOOST_AUTO_TEST_CASE(chunks_do_not_change_a_bit) {
  const auto text = random_text(3, 120);
  for (const auto isa : available_instruction_sets())
    for (const auto threads : {1, 2}) {
      engine device{{.threads = threads, .isa = isa}};
      device.add_lane(tiny_model({}), {.kv_pages = 16});
      const auto whole = scores_of(device, text, text.size(), 3);
      BOOST_TEST(whole.logprobs.size() == text.size() - 1);
      for (const std::size_t chunk : {1, 7, 64})
        expect_same_bytes(scores_of(device, text, chunk, 3), whole);
    }
}

BOOST_AUTO_TEST_CASE(other_sequences_do_not_change_a_bit) {
  const std::vector<tokens> texts{random_text(4, 100), random_text(5, 37),
                                  random_text(6, 61), random_text(7, 2)};
  for (const auto type : {dtype::f32, dtype::q8_0, dtype::q4_0}) {
    engine device{{.threads = 2, .isa = detect()}};
    device.add_lane(tiny_model({.type = type}),
                    {.kv_pages = 64, .max_step_tokens = 128});
    std::vector<messages::TokenScoresT> alone;
    for (const auto& text : texts)
      alone.push_back(scores_of(device, text, text.size(), 3));
    for (const auto seed : {1u, 2u, 3u}) {
      const auto together = scores_in_a_crowd(device, texts, seed);
      for (std::size_t i = 0; i < texts.size(); ++i)
        expect_same_bytes(together[i], alone[i]);
    }
  }
}

BOOST_AUTO_TEST_CASE(more_rows_than_a_slice_of_logits_holds) {
  // 32 MiB of logits are 16 rows of this vocabulary.
  const auto text = random_text(8, 40);
  engine device{{.isa = detect()}};
  device.add_lane(tiny_model({.vocab = 1u << 19}),
                  {.kv_pages = 8, .max_step_tokens = 64});
  expect_same_bytes(scores_of(device, text, 40, 2),
                    scores_of(device, text, 3, 2));
}

BOOST_AUTO_TEST_CASE(ranks_and_alternatives_agree) {
  engine device{{.isa = detect()}};
  device.add_lane(tiny_model({}), {.kv_pages = 8});
  const auto found = scores_of(device, random_text(9, 60), 60, 5);
  BOOST_TEST(found.top_tokens.size() == 59u * 5);
  for (std::size_t i = 0; i < found.tokens.size(); ++i)
    for (std::size_t k = 0; k < 5; ++k) {
      const auto rank = k + 1;
      BOOST_TEST((found.top_tokens[5 * i + k] == found.tokens[i]) ==
                 (found.ranks[i] == rank));
      if (found.ranks[i] == rank)
        BOOST_TEST(found.top_logprobs[5 * i + k] == found.logprobs[i]);
    }
}

BOOST_AUTO_TEST_CASE(a_row_may_score_its_prompt_and_sample_its_end) {
  engine device{{.isa = detect()}};
  device.add_lane(tiny_model({}), {.kv_pages = 16});
  const auto text = random_text(10, 30);
  const auto alone = scores_of(device, text, 30);
  plan_driver driver{device, 0};
  const auto made =
      run_alone(driver, {.key = 2, .prompt = text, .sampling = greedy()}, 1);
  driver.join({.key = 3, .prompt = text, .sampling = greedy()});
  auto row = chunk_of(3, text, 0, 30);
  row.sample_from = 29;
  driver.add(row);
  const auto both = driver.run();
  expect_same_bytes(*both.rows.at(0)->scores, alone);
  BOOST_TEST(both.rows[0]->tokens == made.tokens,
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
