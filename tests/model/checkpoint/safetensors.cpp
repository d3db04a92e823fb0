// SPDX-License-Identifier: Apache-2.0
#include "model/checkpoint/safetensors.hpp"

#include "tests/model/checkpoint/allocation_watch.hpp"
#include "tests/model/checkpoint/refusal.hpp"
#include "tests/model/checkpoint/safetensors_bytes.hpp"

namespace sluice::test {

BOOST_AUTO_TEST_SUITE(safetensors)

constexpr const char* two_tensors =
    R"({"__metadata__":{"format":"pt"},)"
    R"("b":{"dtype":"BF16","shape":[2,3],"data_offsets":[8,20]},)"
    R"("a":{"data_offsets":[0,8],"shape":[2],"dtype":"F32"}}   )";

BOOST_AUTO_TEST_CASE(a_valid_file_is_read_in_order_of_offsets) {
  const auto header = parse_safetensors(safetensors_file(two_tensors, 20));
  BOOST_REQUIRE(header.tensors.size() == 2u);
  const auto& b = header.tensors[1];
  BOOST_TEST(header.tensors[0].name == "a");
  BOOST_TEST(b.offset == 8 + std::string_view(two_tensors).size() + 8);
  BOOST_TEST(b.bytes == 12u);
  BOOST_TEST(shape_text(b.dimensions()) == "[2, 3]");
  BOOST_TEST((b.type->usable == dtype::bf16));
  BOOST_TEST(header.metadata.at("format") == "pt");
}

BOOST_AUTO_TEST_CASE(empty_and_scalar_tensors_are_allowed) {
  const auto header = parse_safetensors(safetensors_file(
      R"({"s":{"dtype":"F32","shape":[],"data_offsets":[0,4]},)"
      R"("e":{"dtype":"F32","shape":[2,0],"data_offsets":[0,0]}})",
      4));
  BOOST_TEST(header.tensors.size() == 2u);
  BOOST_TEST(parse_safetensors(safetensors_file("{}", 0)).tensors.empty());
}

BOOST_AUTO_TEST_CASE(types_without_kernels_are_still_listed) {
  const auto header = parse_safetensors(safetensors_file(
      R"({"a":{"dtype":"F8_E4M3","shape":[3],"data_offsets":[0,3]},)"
      R"("b":{"dtype":"F4","shape":[2],"data_offsets":[3,4]}})",
      4));
  BOOST_TEST(header.tensors[0].type->name == "F8_E4M3");
  BOOST_TEST(!header.tensors[1].type->usable.has_value());
}

struct hostile_header {
  const char* name;
  model_fault expected;
  const char* json;
  std::size_t data_bytes;
};

constexpr hostile_header hostile[] = {
    {"empty", model_fault::malformed, "", 0},
    {"not JSON", model_fault::malformed, "{abc", 0},
    {"an array", model_fault::malformed, "[]", 0},
    {"leading space", model_fault::malformed, " {}", 0},
    {"byte order mark", model_fault::malformed, "\xef\xbb\xbf{}", 0},
    {"not UTF-8", model_fault::malformed, "{\"\xff\":{}}", 0},
    {"lone surrogate", model_fault::malformed, R"({"\ud800":{}})", 0},
    {"text after the object", model_fault::malformed, "{}{}", 0},
    {"a tensor that is a number", model_fault::malformed, R"({"a":1})", 0},
    {"a tensor that is null", model_fault::malformed, R"({"a":null})", 0},
    {"a tensor that is a list", model_fault::malformed, R"({"a":[]})", 0},
    {"no members", model_fault::missing, R"({"a":{}})", 0},
    {"no shape", model_fault::missing,
     R"({"a":{"dtype":"F32","data_offsets":[0,4]}})", 4},
    {"unknown member", model_fault::malformed,
     R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}})", 4},
    {"unknown dtype", model_fault::malformed,
     R"({"a":{"dtype":"F33","shape":[1],"data_offsets":[0,4]}})", 4},
    {"dtype in lower case", model_fault::malformed,
     R"({"a":{"dtype":"f32","shape":[1],"data_offsets":[0,4]}})", 4},
    {"dtype a number", model_fault::malformed,
     R"({"a":{"dtype":1,"shape":[1],"data_offsets":[0,4]}})", 4},
    {"shape a number", model_fault::malformed,
     R"({"a":{"dtype":"F32","shape":1,"data_offsets":[0,4]}})", 4},
    {"shape of lists", model_fault::malformed,
     R"({"a":{"dtype":"F32","shape":[[1]],"data_offsets":[0,4]}})", 4},
    {"negative extent", model_fault::malformed,
     R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4},
    {"fractional extent", model_fault::malformed,
     R"({"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}})", 4},
    {"extent of 1e400", model_fault::malformed,
     R"({"a":{"dtype":"F32","shape":[1e400],"data_offsets":[0,4]}})", 4},
    {"extent above 2^64", model_fault::malformed,
     R"({"a":{"dtype":"F32","shape":[18446744073709551616],)"
     R"("data_offsets":[0,4]}})",
     4},
    {"five dimensions", model_fault::unsupported,
     R"({"a":{"dtype":"F32","shape":[1,1,1,1,1],"data_offsets":[0,4]}})", 4},
    {"one offset", model_fault::malformed,
     R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}})", 4},
    {"three offsets", model_fault::malformed,
     R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}})", 4},
    {"end before begin", model_fault::bad_layout,
     R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", 4},
    {"size disagrees with the shape", model_fault::bad_layout,
     R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4},
    {"elements overflow", model_fault::overflow,
     R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],)"
     R"("data_offsets":[0,0]}})",
     0},
    {"bits overflow", model_fault::overflow,
     R"({"a":{"dtype":"F64","shape":[2305843009213693952],)"
     R"("data_offsets":[0,0]}})",
     0},
    {"a sub-byte type that ends in a byte", model_fault::malformed,
     R"({"a":{"dtype":"F4","shape":[3],"data_offsets":[0,2]}})", 2},
    {"duplicate tensor", model_fault::duplicate,
     R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
     R"("a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
     8},
    {"duplicate member", model_fault::duplicate,
     R"({"a":{"dtype":"F32","dtype":"F32","shape":[1],)"
     R"("data_offsets":[0,4]}})",
     4},
    {"duplicate metadata", model_fault::duplicate,
     R"({"__metadata__":{"k":"1","k":"2"}})", 0},
    {"duplicate __metadata__", model_fault::duplicate,
     R"({"__metadata__":{},"__metadata__":{}})", 0},
    {"metadata of numbers", model_fault::malformed,
     R"({"__metadata__":{"k":1}})", 0},
    {"nested metadata", model_fault::malformed, R"({"__metadata__":{"k":{}}})",
     0},
    {"a nameless tensor", model_fault::malformed,
     R"({"":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4},
    {"a hole at the start", model_fault::bad_layout,
     R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", 8},
    {"a hole between", model_fault::bad_layout,
     R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
     R"("b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}})",
     12},
    {"an overlap", model_fault::bad_layout,
     R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
     R"("b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
     8},
    {"bytes after the last tensor", model_fault::bad_layout,
     R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 5},
    {"data without tensors", model_fault::bad_layout, "{}", 1},
    {"a tensor past the end", model_fault::truncated,
     R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 3},
};

BOOST_AUTO_TEST_CASE(hostile_headers) {
  for (const auto& [name, expected, json, data_bytes] : hostile) {
    const auto file = safetensors_file(json, data_bytes);
    const allocation_watch watch;
    check_refused(name, expected, [&] { parse_safetensors(file); });
    BOOST_TEST(watch.largest_bytes() <= 16 * file.size() + 4096,
               name << " allocated " << watch.largest_bytes());
  }
}

BOOST_AUTO_TEST_CASE(hostile_lengths) {
  const auto with_length = [](std::uint64_t length) {
    std::string file(64, ' ');
    std::memcpy(file.data(), &length, sizeof length);
    return file;
  };
  const auto refused = [&](std::uint64_t length, model_fault expected) {
    const allocation_watch watch;
    check_refused(std::to_string(length), expected,
                  [&] { parse_safetensors(with_length(length)); });
    BOOST_TEST(watch.largest_bytes() < 4096u);
  };
  refused(100'000'001, model_fault::limit);
  refused(~0ull, model_fault::limit);
  refused(100'000'000, model_fault::truncated);
  refused(57, model_fault::truncated);
  refused(0, model_fault::malformed);
  for (std::size_t size = 0; size < 8; ++size)
    check_refused("header too small", model_fault::truncated,
                  [&] { parse_safetensors(std::string(size, '\0')); });
}

BOOST_AUTO_TEST_CASE(a_deep_header_is_refused_at_once) {
  std::string json = R"({"a":)";
  for (int depth = 0; depth < 1'000'000; ++depth)
    json.append(R"({"a":)");
  check_refused("depth", model_fault::malformed,
                [&] { parse_safetensors(safetensors_file(json, 0)); });
}

BOOST_AUTO_TEST_CASE(a_file_cut_anywhere_is_refused) {
  const auto whole = safetensors_file(two_tensors, 20);
  for (std::size_t size = 0; size < whole.size(); ++size)
    check_refused("cut at " + std::to_string(size), model_fault::truncated,
                  [&] { parse_safetensors(whole.substr(0, size)); });
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace sluice::test
