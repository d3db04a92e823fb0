// SPDX-License-Identifier: Apache-2.0
// Ids equal to those of Hugging Face `tokenizers` and of `sentencepiece`, as
// tools/train/tokenizer_oracle.py recorded them.
#include "tests/model/tokenizer/fixtures.hpp"
#include "tests/model/tokenizer/sample_text.hpp"

#include <cstdint>
#include <fstream>
#include <ios>
#include <sstream>

#include <boost/test/unit_test.hpp>

namespace sluice::test {

namespace {

struct expected_ids {
  std::size_t count;
  std::uint64_t hash;
};

/// One row a chunk: plain and, if the library has them, special tokens parsed.
std::vector<std::vector<expected_ids>> read_golden(std::string_view name) {
  std::istringstream file(file_text(golden_file(std::string(name) + ".ids")));
  std::vector<std::vector<expected_ids>> rows;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with('#'))
      continue;
    std::istringstream cells(line);
    auto& row = rows.emplace_back();
    for (expected_ids ids;
         cells >> std::dec >> ids.count >> std::hex >> ids.hash;)
      row.push_back(ids);
  }
  return rows;
}

std::uint64_t hash_of(const std::vector<std::uint32_t>& ids) {
  std::uint64_t value = 0xCBF29CE484222325;
  for (const auto id : ids)
    value = (value ^ id) * 0x100000001B3;
  return value;
}

struct golden_case {
  const char* golden;
  std::unique_ptr<tokenizer> subject;
  bool framed = true; // the oracle's ids include BOS
  bool settled_only = false;
};

void check_chunks(const golden_case& test) {
  constexpr std::uint64_t golden_seed = 2;
  sample_text source(golden_seed, test.settled_only);
  std::size_t number = 0, bytes = 0;
  for (const auto& row : read_golden(test.golden)) {
    const auto text = source.next_chunk();
    for (std::size_t special = 0; special < row.size(); ++special) {
      const auto ids =
          test.subject->encode(text, {.add_bos_eos_template = test.framed,
                                      .parse_special = special == 1});
      BOOST_TEST(ids.size() == row[special].count,
                 test.golden << " chunk " << number << " column " << special
                             << ": " << ids.size() << " ids, expected "
                             << row[special].count);
      BOOST_TEST(hash_of(ids) == row[special].hash,
                 test.golden << " chunk " << number << " column " << special);
    }
    bytes += text.size();
    ++number;
  }
  BOOST_TEST(bytes > (1u << 20));
}

} // namespace

BOOST_AUTO_TEST_SUITE(tokenizer_golden_ids)

BOOST_AUTO_TEST_CASE(hugging_face_gpt2) {
  check_chunks({.golden = "gpt2", .subject = golden_json("gpt2")});
}

BOOST_AUTO_TEST_CASE(hugging_face_llama3) {
  check_chunks({.golden = "llama3", .subject = golden_json("llama3")});
}

BOOST_AUTO_TEST_CASE(hugging_face_qwen2) {
  check_chunks({.golden = "qwen2",
                .subject = golden_json("qwen2"),
                .settled_only = true});
}

BOOST_AUTO_TEST_CASE(hugging_face_qwen2_without_normalizer) {
  check_chunks({.golden = "qwen2-raw",
                .subject = golden_json("qwen2", {.normalizer = false})});
}

BOOST_AUTO_TEST_CASE(hugging_face_digits_punctuation_prefix) {
  check_chunks({.golden = "prefixed",
                .subject = golden_json("prefixed"),
                .settled_only = true});
}

BOOST_AUTO_TEST_CASE(hugging_face_pattern_without_scanner) {
  check_chunks({.golden = "o200k",
                .subject = golden_json("o200k"),
                .settled_only = true});
}

BOOST_AUTO_TEST_CASE(hugging_face_llama2_characters) {
  check_chunks({.golden = "characters", .subject = golden_json("characters")});
}

BOOST_AUTO_TEST_CASE(sentencepiece_model) {
  check_chunks(
      {.golden = "pieces",
       .subject = load_sentencepiece(file_text(golden_file("pieces.model"))),
       .framed = false});
}

BOOST_AUTO_TEST_CASE(sentencepiece_in_gguf) {
  check_chunks({.golden = "pieces",
                .subject = load_tokenizer_gguf(pieces_as_gguf()),
                .framed = false});
}

/// A GGUF file holds no normaliser and no flags of added tokens.
void check_gguf(std::string_view name, std::string_view pre) {
  const auto json = golden_json(name, {.normalizer = false, .flags = false});
  const auto gguf = load_tokenizer_gguf(json_as_gguf(name, pre));
  sample_text source(3);
  for (int chunk = 0; chunk < 32; ++chunk) {
    const auto text = source.next_chunk();
    for (const bool special : {false, true})
      BOOST_TEST(json->encode(text, {.parse_special = special}) ==
                     gguf->encode(text, {.parse_special = special}),
                 name << " chunk " << chunk);
  }
}

BOOST_AUTO_TEST_CASE(gguf_equals_json) {
  check_gguf("gpt2", "default");
  check_gguf("llama3", "llama-bpe");
  check_gguf("qwen2", "qwen2");
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace sluice::test
