// SPDX-License-Identifier: Apache-2.0
// Hostile and unsupported tokenizer.json files.
#include "tests/model/checkpoint/refusal.hpp"
#include "tests/model/tokenizer/fixtures.hpp"

#include <utility>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

namespace sluice::test {

namespace {

using nlohmann::json;

/// A small file that is accepted; tests spoil one part of it.
json small_file() {
  return json::parse(R"({
    "added_tokens": [{"id": 4, "content": "<s>", "special": true,
                      "normalized": false}],
    "normalizer": null,
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false},
    "post_processor": {"type": "TemplateProcessing",
      "single": [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}],
      "special_tokens": {"<s>": {"id": "<s>", "ids": [4]}}},
    "decoder": {"type": "ByteLevel"},
    "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2, "c": 3},
              "merges": ["a b"]}})");
}

struct spoiled {
  const char* pointer; // JSON pointer of the part
  const char* value;
  model_fault fault;
};

} // namespace

BOOST_AUTO_TEST_SUITE(tokenizer_json_files)

BOOST_AUTO_TEST_CASE(the_small_file_is_accepted) {
  const auto subject = load_tokenizer_json(small_file().dump());
  const std::vector<std::uint32_t> expected{4, 2, 3};
  BOOST_TEST(subject->encode("abc") == expected,
             boost::test_tools::per_element());
  BOOST_TEST(*subject->bos() == 4u);
  BOOST_TEST(subject->decode(expected) == "abc");
}

BOOST_AUTO_TEST_CASE(spoiled_parts_are_refused) {
  using enum model_fault;
  const spoiled cases[] = {
      {"/model/type", R"("Unigram")", unsupported},
      {"/model/type", R"("WordPiece")", unsupported},
      {"/model/type", "3", wrong_type},
      {"/model/dropout", "0.1", unsupported},
      {"/model/continuing_subword_prefix", R"("##")", unsupported},
      {"/model/end_of_word_suffix", R"("</w>")", unsupported},
      {"/model/unk_token", R"("<unk>")", missing},
      {"/model/vocab", "[]", wrong_type},
      {"/model/vocab", "null", wrong_type},
      {"/model/vocab/c", "-1", wrong_type},
      {"/model/vocab/c", "1.5", wrong_type},
      {"/model/vocab/c", R"("3")", wrong_type},
      {"/model/vocab/c", "5", malformed},
      {"/model/vocab/c", "16777216", limit},
      {"/model/vocab/c", "18446744073709551615", limit},
      {"/model/vocab/c", "2", duplicate},
      {"/model/merges", "null", wrong_type},
      {"/model/merges/0", R"("ab")", malformed},
      {"/model/merges/0", R"("a b c")", malformed},
      {"/model/merges/0", R"(["a"])", malformed},
      {"/model/merges/0", R"(["a", 1])", malformed},
      {"/model/merges/0", R"("a x")", missing},
      {"/model/merges/0", R"("b a")", missing},
      {"/added_tokens", "{}", wrong_type},
      {"/added_tokens/0", "7", malformed},
      {"/added_tokens/0/content", R"("")", malformed},
      {"/added_tokens/0/id", "null", wrong_type},
      {"/added_tokens/0/id", "9", malformed},
      {"/added_tokens/0/id", "3", duplicate},
      {"/added_tokens/0/content", R"("ab")", malformed},
      {"/normalizer", R"({"type": "Precompiled"})", unsupported},
      {"/normalizer", R"({"type": "BertNormalizer"})", unsupported},
      {"/normalizer", R"({})", malformed},
      {"/normalizer", R"({"type": "Sequence"})", wrong_type},
      {"/normalizer",
       R"({"type": "Replace", "pattern": {"Regex": "a"}, "content": ""})",
       unsupported},
      {"/pre_tokenizer", R"({"type": "BertPreTokenizer"})", unsupported},
      {"/pre_tokenizer", R"("ByteLevel")", malformed},
      {"/pre_tokenizer", R"({"type": "Sequence", "pretokenizers":
        [{"type": "ByteLevel"}, {"type": "Digits"}]})",
       unsupported},
      {"/pre_tokenizer", R"({"type": "Split", "behavior": "Isolated"})",
       wrong_type},
      {"/pre_tokenizer", R"({"type": "Split", "behavior": "Sideways",
        "pattern": {"Regex": "a"}})",
       unsupported},
      {"/pre_tokenizer", R"({"type": "Split", "behavior": "Isolated",
        "pattern": {"Regex": "[a&&b]"}})",
       unsupported},
      {"/post_processor", R"({"type": "Unheard"})", unsupported},
      {"/post_processor/single", "[]", malformed},
      {"/post_processor/single/0", R"({"SpecialToken": {"id": "?"}})",
       wrong_type},
      {"/post_processor/special_tokens/<s>/ids", "[5]", malformed},
      {"/decoder", R"({"type": "WordPiece"})", unsupported},
      {"/decoder", R"({"type": "Fuse"})", unsupported},
      {"/decoder", R"({"type": "Strip", "content": "x"})", unsupported},
  };
  for (const auto& [pointer, value, fault] : cases) {
    auto file = small_file();
    file[json::json_pointer(pointer)] = json::parse(value);
    check_refused(std::string(pointer) + " = " + value, fault,
                  [&] { load_tokenizer_json(file.dump()); });
  }
}

BOOST_AUTO_TEST_CASE(refusals_name_the_type_and_what_is_known) {
  auto file = small_file();
  file["normalizer"] = {{"type", "Nmt"}};
  const auto text = check_refused("Nmt", model_fault::unsupported,
                                  [&] { load_tokenizer_json(file.dump()); });
  BOOST_TEST(text.find("'Nmt'") != text.npos);
  BOOST_TEST(text.find("NFC, NFD") != text.npos);
}

BOOST_AUTO_TEST_CASE(broken_json_is_refused) {
  const auto whole = small_file().dump();
  for (std::size_t length = 0; length < whole.size(); ++length)
    BOOST_CHECK_THROW(load_tokenizer_json(whole.substr(0, length)),
                      model_error);
  check_refused("depth", model_fault::limit, [] {
    load_tokenizer_json("{\"a\":" + std::string(100'000, '['));
  });
  check_refused("values", model_fault::limit, [] {
    load_tokenizer_json("{\"a\":[" + std::string((16u << 20) + 1, ','));
  });
}

BOOST_AUTO_TEST_CASE(merges_never_make_control_tokens) {
  auto file = small_file();
  file["added_tokens"][0]["content"] = "ab";
  file["added_tokens"][0]["id"] = 2;
  file["post_processor"] = nullptr;
  const auto subject = load_tokenizer_json(file.dump());
  const std::vector<std::uint32_t> expected{0, 1};
  BOOST_TEST(subject->encode("ab") == expected,
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(metaspace_pieces) {
  const auto encoded = [](const char* scheme, std::string_view text) {
    auto file = small_file();
    file["added_tokens"] = json::array();
    file["post_processor"] = nullptr;
    file["model"]["vocab"] = {{"\u2581", 0}, {"a", 1}, {"\u2581a", 2}};
    file["model"]["merges"] = json::array({"\u2581 a"});
    file["pre_tokenizer"] = {{"type", "Metaspace"}, {"prepend_scheme", scheme}};
    file["decoder"] = file["pre_tokenizer"];
    return load_tokenizer_json(file.dump())->encode(text);
  };
  using ids = std::vector<std::uint32_t>;
  BOOST_TEST((encoded("always", "a a") == ids{2, 2}));
  BOOST_TEST((encoded("always", " a") == ids{2}));
  BOOST_TEST((encoded("never", "a a") == ids{1, 2}));
  BOOST_TEST((encoded("first", "a  a") == ids{2, 0, 2}));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace sluice::test
