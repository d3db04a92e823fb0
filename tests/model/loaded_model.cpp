// SPDX-License-Identifier: Apache-2.0
#include "model/loaded_model.hpp"

#include "model/checkpoint/model_error.hpp"
#include "model/tokenizer/tokenizer.hpp"
#include "tests/support/temporary_directory.hpp"

#include <filesystem>
#include <fstream>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

namespace sluice::test {

BOOST_AUTO_TEST_SUITE(loading)

const std::filesystem::path pebble = SLUICE_SOURCE_DIR "/tests/models/pebble";

/// A copy of pebble whose tokenizer has `extra` tokens more than it has rows.
struct long_vocabulary {
  temporary_directory folder;
  std::filesystem::path path = folder.path() / "long";

  explicit long_vocabulary(int extra) {
    std::filesystem::copy(pebble, path);
    std::ifstream before(pebble / "tokenizer.json");
    auto file = nlohmann::json::parse(before);
    auto& added = file["added_tokens"];
    for (int i = 0; i < extra; ++i) {
      auto token = added[0];
      token["id"] = 768 + i;
      token["content"] = "<extra " + std::to_string(i) + ">";
      added.push_back(std::move(token));
    }
    std::ofstream(path / "tokenizer.json") << file;
  }
};

BOOST_AUTO_TEST_CASE(a_directory_brings_its_tokenizer) {
  const auto model = load_model(pebble);
  BOOST_TEST(model->name == "pebble");
  BOOST_TEST(model->arch.family == "llama");
  BOOST_REQUIRE(model->text);
  BOOST_TEST(model->text->vocab_size() == model->arch.vocab);
}

BOOST_AUTO_TEST_CASE(a_tokenizer_with_more_tokens_than_rows_is_refused) {
  BOOST_CHECK_NO_THROW(load_model(long_vocabulary(0).path));
  BOOST_CHECK_EXCEPTION(load_model(long_vocabulary(2).path), model_error,
                        [](const auto& error) {
                          const std::string text = error.what();
                          return error.code() == model_fault::bad_shape &&
                                 text.find("770 tokens") != text.npos &&
                                 text.find("768 rows") != text.npos;
                        });
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace sluice::test
