// SPDX-License-Identifier: Apache-2.0
// The bundled models answer records, from every file format alike.
#include "model/tokenizer/tokenizer.hpp"
#include "tests/model/engine/plan_driver.hpp"

#include <nlohmann/json.hpp>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <fstream>

using namespace sluice;
using namespace sluice::test;

namespace {

constexpr std::size_t tried_records = 5;

const std::filesystem::path models_folder =
    std::filesystem::path{SLUICE_SOURCE_DIR} / "tests/models";

struct record {
  std::string prompt;
  std::string answer;
};

std::vector<record> first_records() {
  std::ifstream file{models_folder / "records.jsonl"};
  std::vector<record> result;
  for (std::string line; result.size() < tried_records;) {
    BOOST_REQUIRE(std::getline(file, line));
    const auto row = nlohmann::json::parse(line);
    result.push_back({row.at("prompt"), row.at("answer")});
  }
  return result;
}

std::string answer(engine& device, const loaded_model& model,
                   const std::string& prompt) {
  plan_driver driver{device, 0};
  auto tokens = run_alone(driver,
                          {.key = 1,
                           .prompt = model.text->encode(prompt),
                           .sampling = greedy()},
                          96)
                    .tokens;
  const auto is_end = [&](std::uint32_t token) {
    return std::ranges::count(model.arch.eos, token) > 0;
  };
  tokens.erase(std::find_if(tokens.begin(), tokens.end(), is_end),
               tokens.end());
  return model.text->decode(tokens);
}

const std::vector<std::string> files{"pebble", "pebble-f16.gguf",
                                     "pebble-q8_0.gguf", "pebble-q4_0.gguf"};

} // namespace

BOOST_AUTO_TEST_SUITE(reference_models)

BOOST_DATA_TEST_CASE(they_answer_records, boost::unit_test::data::make(files),
                     file) {
  const auto model = load_model(models_folder / file);
  engine device{engine_options{}};
  device.add_lane(model, {.kv_pages = 32});
  for (const auto& [prompt, expected] : first_records())
    BOOST_TEST(answer(device, *model, prompt) == expected);
}

BOOST_AUTO_TEST_SUITE_END()
