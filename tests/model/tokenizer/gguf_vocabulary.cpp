// SPDX-License-Identifier: Apache-2.0
#include "model/tokenizer/gguf_vocabulary.hpp"

#include "tests/model/checkpoint/refusal.hpp"
#include "tests/model/tokenizer/fixtures.hpp"

#include <functional>
#include <limits>

#include <boost/test/unit_test.hpp>

namespace sluice::test {

namespace {

using ids = std::vector<std::uint32_t>;

struct spoiled {
  const char* what;
  model_fault fault;
  std::function<void(gguf_vocabulary&)> spoil;
};

void check(const gguf_vocabulary& good, const std::vector<spoiled>& cases) {
  for (const auto& test : cases) {
    auto source = good;
    test.spoil(source);
    check_refused(test.what, test.fault, [&] { load_tokenizer_gguf(source); });
  }
}

/// Pieces whose merges show the order: "bc" scores above "ab".
gguf_vocabulary scored_pieces() {
  gguf_vocabulary source;
  source.model = "llama";
  source.tokens = {"<unk>", "<s>", "</s>", "a", "b", "c", "ab", "bc", "abc"};
  source.scores = {0, 0, 0, -9, -9, -9, -2, -1, -3};
  source.types = {2, 3, 3, 1, 1, 1, 1, 1, 1};
  source.bos = 1;
  source.unk = 0;
  source.add_space_prefix = false;
  return source;
}

} // namespace

BOOST_AUTO_TEST_SUITE(tokenizer_gguf_vocabulary)

BOOST_AUTO_TEST_CASE(hostile_vocabularies) {
  using enum model_fault;
  check(
      pieces_as_gguf(),
      {{"model", unsupported, [](auto& v) { v.model = "t5"; }},
       {"no tokens", limit, [](auto& v) { v.tokens.clear(); }},
       {"types", malformed, [](auto& v) { v.types.pop_back(); }},
       {"type 7", malformed, [](auto& v) { v.types[9] = 7; }},
       {"type -1", malformed, [](auto& v) { v.types[9] = -1; }},
       {"scores", malformed, [](auto& v) { v.scores.pop_back(); }},
       {"no scores", missing, [](auto& v) { v.scores.clear(); }},
       {"score", malformed,
        [](auto& v) { v.scores[5] = std::numeric_limits<float>::quiet_NaN(); }},
       {"long piece", limit,
        [](auto& v) { v.tokens[300] = std::string(513, 'a'); }},
       {"bos", malformed, [](auto& v) { v.bos = 1u << 30; }}});
  check(json_as_gguf("gpt2", "default"),
        {{"pre", unsupported, [](auto& v) { v.pre = "unheard-of"; }},
         {"no space", malformed, [](auto& v) { v.merges[0] = "ab"; }},
         {"empty merge", malformed, [](auto& v) { v.merges[0] = ""; }},
         {"one side", missing, [](auto& v) { v.merges[0] = "a "; }},
         {"no token", missing, [](auto& v) { v.merges[0] = "a \x01"; }}});
}

BOOST_AUTO_TEST_CASE(higher_scores_merge_first) {
  const auto subject = load_tokenizer_gguf(scored_pieces());
  // "abc" is made of "a" and "bc", because "bc" comes before "ab".
  BOOST_TEST((subject->encode("abc") == ids{1, 8}));
  BOOST_TEST((subject->encode("abab") == ids{1, 6, 6}));
}

BOOST_AUTO_TEST_CASE(a_piece_may_have_characters_that_are_no_pieces) {
  auto source = scored_pieces();
  source.tokens[6] = "\u00e9x"; // neither character is a piece
  const auto subject = load_tokenizer_gguf(source);
  BOOST_TEST((subject->encode("a\u00e9xb") == ids{1, 3, 6, 4}));
  // Alone they are unknown; a run of unknown text is one token.
  BOOST_TEST((subject->encode("a\u00e9\u00e9b") == ids{1, 3, 0, 4}));
}

BOOST_AUTO_TEST_CASE(unused_tokens_are_never_made) {
  auto source = scored_pieces();
  source.types[7] = 5;
  const auto subject = load_tokenizer_gguf(source);
  BOOST_TEST((subject->encode("bc") == ids{1, 4, 5}));
}

BOOST_AUTO_TEST_CASE(ends_of_text) {
  auto source = scored_pieces();
  source.eos = 2;
  source.eot = 2;
  source.add_bos = false;
  source.add_eos = true;
  const auto subject = load_tokenizer_gguf(source);
  BOOST_TEST((subject->encode("a") == ids{3, 2}));
  BOOST_TEST((subject->eos() == ids{2}));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace sluice::test
