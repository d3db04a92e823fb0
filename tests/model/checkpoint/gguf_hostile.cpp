// SPDX-License-Identifier: Apache-2.0
// Files that other GGUF readers accepted, crashed on or read past: the cases of
// llama.cpp's own test by name, published exploits' shapes, and truncation.
#include "tests/model/checkpoint/allocation_watch.hpp"
#include "tests/model/checkpoint/gguf_bytes.hpp"
#include "tests/model/checkpoint/refusal.hpp"

#include <limits>
#include <string>
#include <utility>

namespace sluice::test {

BOOST_AUTO_TEST_SUITE(gguf_hostile)

using builder = void (*)(gguf_bytes&);
constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint32_t f32 = 0, q4_0 = 2, i8 = 24, i64 = 27;

struct hostile_case {
  const char* name;
  model_fault expected;
  builder build;
};

void check_cases(std::span<const hostile_case> cases) {
  for (const auto& [name, expected, build] : cases) {
    gguf_bytes file;
    build(file);
    const allocation_watch watch;
    check_refused(name, expected, [&] { file.parse(); });
    // The file itself is small, so everything asked for must be.
    BOOST_TEST(watch.largest_bytes() <= 16 * file.bytes().size() + 4096,
               name << " allocated " << watch.largest_bytes());
  }
}

BOOST_AUTO_TEST_CASE(the_watch_sees_allocations) {
  const allocation_watch watch;
  const std::vector<char> large(100'000, 'x');
  BOOST_TEST(watch.largest_bytes() == large.size());
}

BOOST_AUTO_TEST_CASE(headers) {
  const hostile_case cases[] = {
      {"bad magic", model_fault::not_a_model,
       [](auto& f) { f.raw("FUGG").put(3u).put(0ull).put(0ull); }},
      {"version 0", model_fault::unsupported,
       [](auto& f) { f.header(0, 0, 0); }},
      {"version 1", model_fault::unsupported,
       [](auto& f) { f.header(0, 0, 1); }},
      {"version of the future", model_fault::unsupported,
       [](auto& f) { f.header(0, 0, 4); }},
      {"byte-swapped version", model_fault::unsupported,
       [](auto& f) { f.header(0, 0, 0x03000000); }},
      {"n_tensors = -1", model_fault::limit,
       [](auto& f) { f.header(most, 0); }},
      {"n_tensors * 24 > file", model_fault::truncated,
       [](auto& f) { f.header(65'536, 0).zeros(1000); }},
      {"n_kv = -1", model_fault::limit, [](auto& f) { f.header(0, most); }},
      {"n_kv * 13 > file", model_fault::truncated,
       [](auto& f) { f.header(0, 65'536).zeros(1000); }},
      {"n_tensors above the cap", model_fault::limit,
       [](auto& f) { f.header(65'537, 0); }},
      {"empty file", model_fault::truncated, [](auto&) {}},
      {"magic alone", model_fault::truncated, [](auto& f) { f.raw("GGUF"); }},
  };
  check_cases(cases);
}

BOOST_AUTO_TEST_CASE(keys) {
  const hostile_case cases[] = {
      {"key size = -1", model_fault::limit,
       [](auto& f) { f.header(0, 1).put(most).zeros(64); }},
      {"key size 65536", model_fault::limit,
       [](auto& f) { f.header(0, 1).put(65'536ull).zeros(70'000); }},
      {"empty key", model_fault::malformed,
       [](auto& f) { f.header(0, 1).u32_key("", 1).zeros(8); }},
      {"upper-case key", model_fault::malformed,
       [](auto& f) { f.header(0, 1).u32_key("A", 1).zeros(8); }},
      {"key with a newline", model_fault::malformed,
       [](auto& f) { f.header(0, 1).u32_key("a\nb", 1).zeros(8); }},
      {"value type 13", model_fault::malformed,
       [](auto& f) { f.header(0, 1).key("k", gguf_type{13}).zeros(64); }},
      {"duplicate key", model_fault::duplicate,
       [](auto& f) { f.header(0, 2).u32_key("k", 1).u32_key("k", 1); }},
      {"string length = -1", model_fault::limit,
       [](auto& f) {
         f.header(0, 1).key("k", gguf_type::string).put(most).zeros(64);
       }},
      {"string of 1 GiB", model_fault::limit,
       [](auto& f) {
         f.header(0, 1).key("k", gguf_type::string).put(1ull << 30).zeros(64);
       }},
      {"string past the end", model_fault::truncated,
       [](auto& f) {
         f.header(0, 1).key("k", gguf_type::string).put(1ull << 20).zeros(64);
       }},
      {"string not UTF-8", model_fault::malformed,
       [](auto& f) {
         f.header(0, 1).key("k", gguf_type::string).text("\xc0\xaf");
       }},
      {"surrogate in a string", model_fault::malformed,
       [](auto& f) {
         f.header(0, 1).key("k", gguf_type::string).text("\xed\xa0\x80");
       }},
      {"bool = 2", model_fault::malformed,
       [](auto& f) {
         f.header(0, 1).key("k", gguf_type::boolean).put('\2').zeros(8);
       }},
      {"array of 2^62", model_fault::limit,
       [](auto& f) {
         f.header(0, 1).array("k", gguf_type::u64, 1ull << 62).zeros(64);
       }},
      {"array of 4 Mi + 1", model_fault::limit,
       [](auto& f) {
         f.header(0, 1).array("k", gguf_type::u8, (4u << 20) + 1).zeros(64);
       }},
      {"array past the end", model_fault::truncated,
       [](auto& f) {
         f.header(0, 1).array("k", gguf_type::f32, 4u << 20).zeros(64);
       }},
      {"strings past the end", model_fault::truncated,
       [](auto& f) {
         f.header(0, 1).array("k", gguf_type::string, 4u << 20).zeros(64);
       }},
      {"array of arrays", model_fault::unsupported,
       [](auto& f) {
         f.header(0, 1).array("k", gguf_type::array, 1).zeros(64);
       }},
      {"array of unknown type", model_fault::malformed,
       [](auto& f) { f.header(0, 1).array("k", gguf_type{99}, 1).zeros(64); }},
  };
  check_cases(cases);
}

BOOST_AUTO_TEST_CASE(alignments) {
  const hostile_case cases[] = {
      {"0", model_fault::malformed,
       [](auto& f) { f.header(0, 1).u32_key("general.alignment", 0); }},
      {"1", model_fault::malformed,
       [](auto& f) { f.header(0, 1).u32_key("general.alignment", 1); }},
      {"13", model_fault::malformed,
       [](auto& f) { f.header(0, 1).u32_key("general.alignment", 13); }},
      {"131072", model_fault::malformed,
       [](auto& f) { f.header(0, 1).u32_key("general.alignment", 1u << 17); }},
      {"2^31", model_fault::malformed,
       [](auto& f) { f.header(0, 1).u32_key("general.alignment", 1u << 31); }},
      {"an i32", model_fault::wrong_type,
       [](auto& f) {
         f.header(0, 1).key("general.alignment", gguf_type::i32).put(32);
       }},
      {"a u16", model_fault::wrong_type,
       [](auto& f) {
         f.header(0, 1).key("general.alignment", gguf_type::u16);
         f.put(std::uint16_t{32});
       }},
      {"inconsistent with the offsets", model_fault::bad_layout,
       [](auto& f) {
         f.header(2, 1).u32_key("general.alignment", 64);
         f.tensor("a", {8}, f32, 0).tensor("b", {8}, f32, 32).pad(64);
         f.zeros(128);
       }},
  };
  check_cases(cases);
}

BOOST_AUTO_TEST_CASE(tensors) {
  const hostile_case cases[] = {
      {"name of 64 bytes", model_fault::limit,
       [](auto& f) {
         f.header(1, 0)
             .tensor(std::string(64, 'n'), {1}, f32, 0)
             .pad()
             .zeros(4);
       }},
      {"name size = -1", model_fault::limit,
       [](auto& f) { f.header(1, 0).put(most).zeros(64); }},
      {"no name", model_fault::malformed,
       [](auto& f) { f.header(1, 0).tensor("", {1}, f32, 0).pad().zeros(4); }},
      {"0 dimensions", model_fault::malformed,
       [](auto& f) { f.header(1, 0).tensor("t", {}, f32, 0).pad().zeros(4); }},
      {"5 dimensions", model_fault::malformed,
       [](auto& f) {
         f.header(1, 0).tensor("t", {1, 1, 1, 1, 1}, f32, 0);
       }},
      {"2^32 - 1 dimensions", model_fault::malformed,
       [](auto& f) { f.header(1, 0).text("t").put(0xffffffffu).zeros(64); }},
      {"a negative dimension", model_fault::overflow,
       [](auto& f) {
         f.header(1, 0).tensor("t", {most, 2}, f32, 0).pad();
       }},
      {"a dimension of 0", model_fault::malformed,
       [](auto& f) {
         f.header(1, 0).tensor("t", {4, 0}, f32, 0).pad();
       }},
      {"2^62 - 1 elements", model_fault::overflow,
       [](auto& f) {
         f.header(1, 0).tensor("t", {(1ull << 62) - 1}, f32, 0).pad();
       }},
      {"SIZE_MAX / 4 elements", model_fault::overflow,
       [](auto& f) { f.header(1, 0).tensor("t", {most / 4}, f32, 0).pad(); }},
      {"INT64_MAX x 2", model_fault::overflow,
       [](auto& f) {
         f.header(1, 0).tensor("t", {most / 2, 2, 1, 1}, i8, 0).pad();
       }},
      {"a product that wraps to 0", model_fault::overflow,
       [](auto& f) {
         f.header(1, 0).tensor("t", {1ull << 32, 1ull << 32}, i8, 0).pad();
       }},
      {"bytes that wrap to 0", model_fault::overflow,
       [](auto& f) { f.header(1, 0).tensor("t", {1ull << 61}, i64, 0).pad(); }},
      {"two of 0x7FFFFFFFFFFFFFC0 bytes", model_fault::overflow,
       [](auto& f) {
         f.header(2, 0).tensor("a", {0x7FFFFFFFFFFFFFC0}, i8, 0);
         f.tensor("b", {0x7FFFFFFFFFFFFFC0}, i8, 0x7FFFFFFFFFFFFFC0).pad();
       }},
      {"padding that wraps", model_fault::overflow,
       [](auto& f) { f.header(1, 0).tensor("t", {most - 2}, i8, 0).pad(); }},
      {"part of a block", model_fault::malformed,
       [](auto& f) {
         f.header(1, 0).tensor("t", {31}, q4_0, 0).pad().zeros(64);
       }},
      {"rows that share a block", model_fault::malformed,
       [](auto& f) {
         f.header(1, 0).tensor("t", {16, 2}, q4_0, 0).pad().zeros(64);
       }},
      {"removed type 4", model_fault::malformed,
       [](auto& f) { f.header(1, 0).tensor("t", {32}, 4, 0).pad().zeros(64); }},
      {"removed type 31", model_fault::malformed,
       [](auto& f) { f.header(1, 0).tensor("t", {32}, 31, 0); }},
      {"removed type 36", model_fault::malformed,
       [](auto& f) { f.header(1, 0).tensor("t", {32}, 36, 0); }},
      {"type 2^32 - 1", model_fault::malformed,
       [](auto& f) { f.header(1, 0).tensor("t", {32}, 0xffffffff, 0); }},
      {"duplicate name", model_fault::duplicate,
       [](auto& f) {
         f.header(2, 0).tensor("t", {8}, f32, 0).tensor("t", {8}, f32, 32);
         f.pad().zeros(64);
       }},
  };
  check_cases(cases);
}

BOOST_AUTO_TEST_CASE(layouts) {
  const hostile_case cases[] = {
      {"an unaligned offset", model_fault::bad_layout,
       [](auto& f) {
         f.header(1, 0).tensor("t", {8}, f32, 5).pad().zeros(64);
       }},
      {"a hole before the first", model_fault::bad_layout,
       [](auto& f) {
         f.header(1, 0).tensor("t", {8}, f32, 32).pad().zeros(64);
       }},
      {"an overlap", model_fault::bad_layout,
       [](auto& f) {
         f.header(2, 0).tensor("a", {8}, f32, 0).tensor("b", {8}, f32, 0);
         f.pad().zeros(64);
       }},
      {"offset = -1", model_fault::bad_layout,
       [](auto& f) {
         f.header(1, 0).tensor("t", {8}, f32, most).pad().zeros(64);
       }},
      {"data past the end", model_fault::truncated,
       [](auto& f) {
         f.header(1, 0).tensor("t", {8}, f32, 0).pad().zeros(31);
       }},
      {"no data at all", model_fault::truncated,
       [](auto& f) { f.header(1, 0).tensor("t", {8}, f32, 0); }},
  };
  check_cases(cases);
}

BOOST_AUTO_TEST_CASE(what_is_unusual_but_allowed) {
  gguf_bytes empty;
  BOOST_TEST(empty.header(0, 0).parse().tensors.empty());
  gguf_bytes trailing;
  trailing.header(1, 0).tensor("t", {8}, f32, 0).pad().zeros(32 + 500);
  BOOST_TEST(trailing.parse().tensors.size() == 1u);
  gguf_bytes hyphen;
  hyphen.header(0, 1).u32_key("command-r.block_count", 2);
  BOOST_TEST(hyphen.parse().metadata.u32("command-r.block_count") == 2u);
}

BOOST_AUTO_TEST_CASE(a_file_cut_anywhere_is_refused) {
  const auto whole = small_gguf();
  for (std::size_t size = 0; size < whole.bytes().size(); ++size) {
    const auto cut = std::span(whole.bytes()).first(size);
    check_refused("cut at " + std::to_string(size), model_fault::truncated,
                  [&] { parse_gguf_header(cut, size, "cut.gguf"); });
  }
}

BOOST_AUTO_TEST_CASE(a_changed_byte_never_escapes_the_reader) {
  const auto whole = small_gguf().bytes();
  std::size_t accepted = 0, refused = 0;
  for (std::size_t at = 0; at < whole.size(); ++at)
    for (int bit = 0; bit < 8; ++bit) {
      auto changed = whole;
      changed[at] ^= static_cast<std::byte>(1 << bit);
      try {
        const auto header =
            parse_gguf_header(changed, changed.size(), "changed.gguf");
        for (const auto& tensor : header.tensors)
          BOOST_REQUIRE(tensor.offset + tensor.bytes <= changed.size());
        ++accepted;
      } catch (const model_error&) {
        ++refused;
      }
    }
  BOOST_TEST(accepted > 0u); // names, scores and tensor data may change
  BOOST_TEST(refused > accepted / 4);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace sluice::test
