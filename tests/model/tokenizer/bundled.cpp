// SPDX-License-Identifier: Apache-2.0
// The bundled models hold one tokenizer, as tokenizer.json and as GGUF.
#include "model/checkpoint/model_error.hpp"
#include "tests/model/tokenizer/fixtures.hpp"
#include "tests/model/tokenizer/sample_text.hpp"

#include <sstream>

#include <boost/test/unit_test.hpp>

namespace sluice::test {

namespace {

std::filesystem::path bundled(const char* name) {
  return std::filesystem::path(SLUICE_SOURCE_DIR) / "tests/models" / name;
}

} // namespace

BOOST_AUTO_TEST_SUITE(tokenizer_bundled)

BOOST_AUTO_TEST_CASE(every_file_gives_the_same_ids) {
  const auto expected = load_tokenizer(bundled("pebble"));
  std::vector<std::string> texts;
  std::istringstream records(file_text(bundled("records.jsonl")));
  for (std::string line; std::getline(records, line);)
    texts.push_back(line);
  sample_text source(17);
  for (int chunk = 0; chunk < 16; ++chunk)
    texts.push_back(source.next_chunk());
  for (const char* name : {"pebble-f16.gguf", "pebble-q8_0.gguf",
                           "pebble-draft", "pebble-draft-q8_0.gguf"}) {
    const auto subject = load_tokenizer(bundled(name));
    BOOST_TEST((subject->bos() == expected->bos()));
    BOOST_TEST(subject->eos() == expected->eos());
    for (const auto& text : texts)
      BOOST_TEST((subject->encode(text) == expected->encode(text)), name);
  }
}

BOOST_AUTO_TEST_CASE(records_come_back_and_begin_with_bos) {
  const auto subject = load_tokenizer(bundled("pebble"));
  std::istringstream records(file_text(bundled("records.jsonl")));
  for (std::string line; std::getline(records, line);) {
    const auto ids = subject->encode(line);
    BOOST_TEST(ids.front() == *subject->bos());
    BOOST_TEST(subject->decode(ids) == line);
  }
}

BOOST_AUTO_TEST_CASE(a_model_without_a_tokenizer_is_named) {
  BOOST_CHECK_THROW(load_tokenizer(bundled("no-such-model")), model_error);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace sluice::test
