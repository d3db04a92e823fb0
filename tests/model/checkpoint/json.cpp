// SPDX-License-Identifier: Apache-2.0
#include "model/checkpoint/json.hpp"

#include "tests/model/checkpoint/refusal.hpp"

namespace sluice::test {

BOOST_AUTO_TEST_SUITE(model_json)

nlohmann::json parse(std::string_view text) {
  return parse_json(std::as_bytes(std::span(text.data(), text.size())),
                    "config.json");
}

std::string repeated(std::string_view text, int times) {
  std::string result;
  for (int i = 0; i < times; ++i)
    result.append(text);
  return result;
}

BOOST_AUTO_TEST_CASE(hostile_texts) {
  const std::pair<model_fault, std::string> cases[] = {
      {model_fault::malformed, ""},
      {model_fault::malformed, "[]"},
      {model_fault::malformed, "nul"},
      {model_fault::malformed, R"({"a":1)"},
      {model_fault::malformed, R"({"a":NaN})"},
      {model_fault::malformed, R"({"a":1e400})"},
      {model_fault::malformed, R"({"a":"\ud800"})"},
      {model_fault::malformed, "{\"a\":\"\xc3\x28\"}"},
      {model_fault::malformed, std::string("{\"a\":\0}", 7)},
      {model_fault::malformed, R"({"a":1}//)"},
      {model_fault::duplicate, R"({"a":1,"a":2})"},
      {model_fault::duplicate, R"({"b":{"a":1,"c":[{}],"a":2}})"},
      {model_fault::limit, R"({"a":)" + repeated("[", 1'000'000)},
      {model_fault::limit, repeated(R"({"a":)", 1'000'000)},
      {model_fault::limit, repeated("[", 65) + repeated("]", 65)},
      {model_fault::limit, "{}" + std::string(16u << 20, ' ')},
  };
  for (const auto& [expected, text] : cases)
    check_refused(printable(text), expected, [&] { parse(text); });
}

BOOST_AUTO_TEST_CASE(equal_keys_of_different_objects_are_fine) {
  BOOST_TEST(
      parse(R"({"a":{"k":1},"b":{"k":2},"k":[{"k":3},{"k":4}]})").size() == 3u);
  BOOST_TEST(
      parse(R"({"a":)" + repeated("[", 63) + repeated("]", 63) + "}").size() ==
      1u);
}

BOOST_AUTO_TEST_CASE(members_are_read_by_their_type) {
  const auto json = parse(R"({"n":7,"big":18446744073709551615,"neg":-1,
      "half":0.5,"yes":true,"text":"t","null":null,"one":3,"list":[1,2],
      "mixed":[1,"x"],"object":{}})");
  const json_reader reader(json, "config.json");
  BOOST_TEST(reader.u64("n") == 7u);
  BOOST_TEST(reader.u64("big") == ~0ull);
  BOOST_TEST(reader.u64("null", 5) == 5u);
  BOOST_TEST(reader.number("half") == 0.5);
  BOOST_TEST(reader.number("neg") == -1);
  BOOST_TEST(reader.flag("yes", false));
  BOOST_TEST(reader.text("text") == "t");
  BOOST_TEST(reader.u64_list("one") == std::vector<std::uint64_t>{3},
             boost::test_tools::per_element());
  BOOST_TEST(reader.u64_list("list").size() == 2u);
  BOOST_TEST(reader.u64_list("null").empty());
  BOOST_TEST(!reader.has("null"));
  BOOST_TEST(reader.object("object") != nullptr);

  const auto wrong = [&](const char* what, auto read) {
    check_refused(what, model_fault::wrong_type, [&] { read(reader); });
  };
  using r = const json_reader&;
  wrong("negative as u64", [](r reader) { reader.u64("neg"); });
  wrong("fraction as u64", [](r reader) { reader.u64("half"); });
  wrong("text as u64", [](r reader) { reader.u64("text", 1); });
  wrong("text as number", [](r reader) { reader.number("text"); });
  wrong("number as flag", [](r reader) { reader.flag("n", true); });
  wrong("number as text", [](r reader) { reader.text("n"); });
  wrong("mixed list", [](r reader) { reader.u64_list("mixed"); });
  wrong("text as list", [](r reader) { reader.u64_list("text"); });
  wrong("list as object", [](r reader) { reader.object("list"); });
  check_refused("absent", model_fault::missing, [&] { reader.u64("no"); });
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace sluice::test
