// SPDX-License-Identifier: Apache-2.0
#include "model/tokenizer/tokenizer.hpp"

#include "tests/model/tokenizer/fixtures.hpp"
#include "tests/model/tokenizer/sample_text.hpp"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

namespace sluice::test {

namespace {

using ids = std::vector<std::uint32_t>;

constexpr encode_options bare{.add_bos_eos_template = false};

} // namespace

BOOST_AUTO_TEST_SUITE(tokenizer_interface)

BOOST_AUTO_TEST_CASE(bos_exactly_once) {
  const auto subject = golden_json("llama3");
  const auto bos = *subject->bos();
  BOOST_TEST(subject->encode("a").front() == bos);
  BOOST_TEST(subject->encode("") == ids{bos}, boost::test_tools::per_element());
  const auto written = subject->encode("<|bos|>a", {.parse_special = true});
  BOOST_TEST(written == subject->encode("a"), boost::test_tools::per_element());
  BOOST_TEST(subject->encode("a", bare).front() != bos);
}

BOOST_AUTO_TEST_CASE(special_tokens_in_text_stay_text_unless_asked) {
  for (const char* name : {"gpt2", "llama3", "qwen2"}) {
    const auto subject = golden_json(name);
    const std::string text = "x<|eos|>y";
    for (const auto id : subject->encode(text, bare))
      BOOST_TEST(!subject->is_special(id));
    BOOST_TEST(subject->decode(subject->encode(text, bare)) == text);
    const auto parsed = subject->encode(
        text, {.add_bos_eos_template = false, .parse_special = true});
    BOOST_TEST(parsed.size() == 3u);
    BOOST_TEST(parsed[1] == *subject->find_token("<|eos|>"));
    BOOST_TEST(subject->decode(parsed) == "xy");
    BOOST_TEST(subject->decode(parsed, false) == text);
  }
}

BOOST_AUTO_TEST_CASE(no_text_becomes_a_control_token) {
  const auto subject = load_tokenizer_gguf(pieces_as_gguf());
  for (const char* text : {"<s>", "</s>", "<unk>", "a<s>b"})
    for (const auto id : subject->encode(text, bare))
      BOOST_TEST(!subject->is_special(id));
}

BOOST_AUTO_TEST_CASE(mixed_text_comes_back) {
  sample_text source(9);
  const auto pieces = load_tokenizer_gguf(pieces_as_gguf());
  const auto library =
      load_sentencepiece(file_text(golden_file("pieces.model")));
  const auto bytes = golden_json("llama3", {.flags = false});
  for (int chunk = 0; chunk < 32; ++chunk) {
    auto text = source.next_chunk();
    BOOST_TEST(bytes->decode(bytes->encode(text)) == text);
    // "\u2581" is how pieces write a space.
    for (std::size_t at; (at = text.find("\u2581")) != text.npos;)
      text.erase(at, 3);
    BOOST_TEST(pieces->decode(pieces->encode(text)) == text);
    BOOST_TEST(library->decode(library->encode(text)) == text);
  }
}

BOOST_AUTO_TEST_CASE(any_bytes_come_back_from_a_byte_level_vocabulary) {
  const auto subject = byte_tokenizer({"ab", "\xe4\xb8"});
  std::string text;
  for (int value = 0; value < 256; ++value)
    text.push_back(static_cast<char>(value));
  std::string joined;
  for (const auto id : subject->encode(text, bare))
    joined += subject->token_bytes(id);
  BOOST_TEST(joined == text);
}

BOOST_AUTO_TEST_CASE(bytes_without_a_token_of_pieces_fall_back) {
  const auto subject = load_tokenizer_gguf(pieces_as_gguf());
  const auto encoded = subject->encode("\xff\u4e2d", bare);
  std::string joined;
  for (const auto id : encoded)
    joined += subject->token_bytes(id);
  BOOST_TEST(joined == " \xff\u4e2d");
}

BOOST_AUTO_TEST_CASE(decoding_repairs_and_skips) {
  const auto subject = byte_tokenizer();
  BOOST_TEST(subject->decode(ids{0x61, 0xE4, 0xB8, 0x62, 999999}) ==
             "a\uFFFDb");
  BOOST_TEST(subject->token_bytes(999999) == "");
  BOOST_TEST(!subject->is_special(999999));
}

BOOST_AUTO_TEST_CASE(names) {
  const auto subject = golden_json("qwen2");
  BOOST_TEST(*subject->find_token("<|eos|>") == 1u);
  BOOST_TEST(!subject->find_token("<|nobody|>"));
  BOOST_TEST(subject->description() == "byte-level BPE, pre-tokenizer qwen2");
}

BOOST_AUTO_TEST_CASE(config_names_the_ends) {
  const auto subject = load_tokenizer_json(
      file_text(golden_file("gpt2.json")),
      R"({"bos_token":"<|bos|>","eos_token":{"content":"<|eos|>"}})");
  BOOST_TEST(*subject->bos() == 0u);
  BOOST_TEST(subject->eos() == ids{1}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(one_class_of_characters_over_a_mebibyte) {
  const auto subject = golden_json("llama3");
  for (const std::string_view unit : {"a", " ", "\n", "1", "=", "\u0301"}) {
    std::string text;
    while (text.size() < (1u << 20))
      text += unit;
    const auto encoded = subject->encode(text);
    BOOST_TEST((subject->decode(encoded) == text), "unit '" << unit << "'");
  }
}

BOOST_AUTO_TEST_CASE(space_prefix_and_user_defined_pieces) {
  // As SentencePiece: one prefix a text, none after a user-defined piece.
  const auto subject = load_tokenizer_gguf(pieces_as_gguf());
  const auto mark = *subject->find_token("\u2581");
  const auto tool = *subject->find_token("<tool>");
  BOOST_TEST(subject->encode("<tool>1", bare) ==
                 (ids{mark, tool, *subject->find_token("1")}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace sluice::test
