// SPDX-License-Identifier: Apache-2.0
#include "model/tokenizer/normalizer.hpp"

#include "tests/model/tokenizer/sample_text.hpp"

#include <algorithm>
#include <cstdlib>

#include <boost/test/unit_test.hpp>
#include <utf8proc.h>

namespace sluice::test {

namespace {

constexpr unicode_form nfc{true, false}, nfd{false, false}, nfkc{true, true};

std::string library_nfc(const std::string& text) {
  auto* bytes =
      utf8proc_NFC(reinterpret_cast<const utf8proc_uint8_t*>(text.c_str()));
  std::string result(reinterpret_cast<const char*>(bytes));
  std::free(bytes);
  return result;
}

} // namespace

BOOST_AUTO_TEST_SUITE(tokenizer_normalizer)

BOOST_AUTO_TEST_CASE(forms) {
  BOOST_TEST(normalize("e\u0301", nfc) == "\u00e9");
  BOOST_TEST(normalize("\u00e9x", nfd) == "e\u0301x");
  BOOST_TEST(normalize("\ufb01 \u2460", nfkc) == "fi 1");
  BOOST_TEST(normalize("\u1112\u1161\u11ab", nfc) == "\ud55c");
  BOOST_TEST(normalize("a\u0301\u0316", nfd) == "a\u0316\u0301");
  BOOST_TEST(normalize("", nfc) == "");
}

BOOST_AUTO_TEST_CASE(equals_the_library_on_mixed_text) {
  sample_text source(5);
  for (int chunk = 0; chunk < 32; ++chunk) {
    auto text = source.next_chunk();
    std::erase(text, '\0'); // where the library's text would end
    BOOST_TEST(normalize(text, nfc) == library_nfc(text));
  }
}

BOOST_AUTO_TEST_CASE(bytes_that_are_not_utf8_pass) {
  BOOST_TEST(normalize("e\u0301\xff\u0301", nfc) == "\u00e9\xff\u0301");
}

BOOST_AUTO_TEST_CASE(a_long_run_of_unordered_marks) {
  // Reordering by neighbours would need 10^11 steps.
  constexpr int pairs = 500'000;
  std::string text = "a", above, below;
  for (int at = 0; at < pairs; ++at) {
    text += "\u0301\u0316";
    above += "\u0301";
    below += "\u0316";
  }
  BOOST_TEST((normalize(text, nfd) == "a" + below + above));
}

BOOST_AUTO_TEST_CASE(steps_run_in_order) {
  normalizer steps;
  steps.add(strip_space{true, false});
  steps.add(lower_case{});
  steps.add(replace_text{"ab", "b"});
  steps.add(prepend_text{"_"});
  BOOST_TEST(steps.apply(" \u3000\u00c9AAB ") == "_\u00e9ab ");
  BOOST_TEST(steps.apply("  ") == "");
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace sluice::test
