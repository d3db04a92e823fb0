// SPDX-License-Identifier: Apache-2.0
#include "model/show.hpp"

#include "tests/model/small_model.hpp"

#include <boost/test/unit_test.hpp>

namespace sluice::test {

BOOST_AUTO_TEST_SUITE(showing)

BOOST_AUTO_TEST_CASE(the_description_adds_up) {
  small_model small;
  small.type = dtype::q8_0;
  const auto model = small.open();
  const auto shown = describe(model, describe_architecture(model));
  BOOST_TEST(shown["format"] == "gguf");
  BOOST_TEST(shown["architecture"]["heads"] == 4);
  BOOST_TEST(shown["architecture"]["norm_epsilon"].dump() == "1e-05");
  BOOST_TEST(shown["memory"]["weights_bytes"] == model.tensor_bytes());
  // 2 x 1 layer x 2 kv heads x 8 elements x 2 bytes
  BOOST_TEST(shown["memory"]["kv_bytes_per_1000_tokens"] == 64'000);
  BOOST_TEST(shown["types"]["Q8_0"]["tensors"] == 12);
  BOOST_TEST(shown["types"]["Q8_0"]["bytes"] == model.tensor_bytes());
  BOOST_TEST(shown["types"]["Q8_0"]["elements"] ==
             model.tensor_bytes() / 34 * 32);
  BOOST_TEST(shown["tensors"].size() == 12u);

  const auto text = show_text(shown);
  for (auto words : {"token_embd.weight", "[10, 32]", "62.5 KiB (f16)",
                     "12 tensors", "small.gguf"})
    BOOST_TEST(text.find(words) != text.npos, words);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace sluice::test
