// SPDX-License-Identifier: Apache-2.0
#include "model/checkpoint/checkpoint.hpp"
#include "tests/model/checkpoint/gguf_bytes.hpp"
#include "tests/model/checkpoint/refusal.hpp"
#include "tests/support/temporary_directory.hpp"

namespace sluice::test {

BOOST_AUTO_TEST_SUITE(gguf_valid)

BOOST_AUTO_TEST_CASE(versions_2_and_3_give_the_same) {
  for (std::uint32_t version : {2u, 3u}) {
    const auto header = small_gguf(version).parse();
    BOOST_TEST(header.version == version);
    BOOST_TEST(header.alignment == 64u);
    BOOST_TEST(header.data_offset % 64 == 0u);
    BOOST_REQUIRE(header.tensors.size() == 3u);
    const auto& c = header.tensors[2];
    BOOST_TEST(c.type->name == "BF16");
    BOOST_TEST(shape_text(c.dimensions()) == "[5, 4, 3, 2]");
    BOOST_TEST(c.offset == header.data_offset + 192);
    BOOST_TEST(c.bytes == 240u);
  }
}

BOOST_AUTO_TEST_CASE(keys_are_read_by_their_type) {
  const auto metadata = small_gguf().parse().metadata;
  BOOST_TEST(metadata.text("general.architecture") == "llama");
  BOOST_TEST(metadata.u32("general.alignment") == 64u);
  BOOST_TEST(metadata.f32("test.ratio") == 0.5f);
  BOOST_TEST(metadata.flag("test.flag", false));
  BOOST_TEST(metadata.strings("test.words") ==
                 (std::vector<std::string>{"one", "zwölf"}),
             boost::test_tools::per_element());
  BOOST_TEST(metadata.f32_array("test.scores") ==
                 (std::vector<float>{1.5f, -2.5f}),
             boost::test_tools::per_element());
  BOOST_TEST(metadata.i32_array("test.types") ==
                 (std::vector<std::int32_t>{1, -3}),
             boost::test_tools::per_element());
  BOOST_TEST(metadata.u32("absent", 7) == 7u);
}

BOOST_AUTO_TEST_CASE(another_type_is_never_cast) {
  const auto metadata = small_gguf().parse().metadata;
  const auto refused = [&](const char* what, auto read) {
    check_refused(what, model_fault::wrong_type, [&] { read(metadata); });
  };
  using m = const gguf_metadata&;
  refused("f32 as u32", [](m keys) { keys.u32("test.ratio"); });
  refused("u32 as f32", [](m keys) { keys.f32("general.alignment"); });
  refused("text as bool", [](m k) { k.flag("general.architecture", true); });
  refused("array as f32", [](m keys) { keys.f32("test.scores"); });
  refused("i32s as f32s", [](m keys) { keys.f32_array("test.types"); });
  refused("f32s as i32s", [](m keys) { keys.i32_array("test.scores"); });
  refused("f32s as texts", [](m keys) { keys.strings("test.scores"); });
  refused("texts as f32s", [](m keys) { keys.f32_array("test.words"); });
  refused("negative as u32", [](m keys) { keys.u32_list("test.types"); });
  check_refused("absent", model_fault::missing, [&] { metadata.u32("no"); });
}

BOOST_AUTO_TEST_CASE(every_published_type_has_its_size) {
  std::size_t known = 0;
  for (std::uint32_t id = 0; id < 64; ++id) {
    const auto* type = ggml_type(id);
    if (!type)
      continue;
    ++known;
    const std::uint64_t row = type->block_elements;
    gguf_bytes file;
    file.header(1, 0).tensor("t", {row, 3}, id, 0).pad();
    const auto header =
        file.zeros(3 * type->block_bits / 8).parse(); // not a byte to spare
    BOOST_TEST(header.tensors[0].bytes == 3 * type->block_bits / 8);
    if (row == 1)
      continue;
    gguf_bytes broken;
    broken.header(1, 0).tensor("t", {row + 1}, id, 0).pad().zeros(4096);
    check_refused("part of a block", model_fault::malformed,
                  [&] { broken.parse(); });
  }
  BOOST_TEST(known == 35u);
}

BOOST_AUTO_TEST_CASE(split_files_are_one_model) {
  const temporary_directory folder;
  for (std::uint16_t part = 0; part < 3; ++part) {
    gguf_bytes file;
    file.header(1, 2);
    file.key("split.no", gguf_type::u16).put(part);
    file.key("split.count", gguf_type::u16).put(std::uint16_t{3});
    file.tensor("t" + std::to_string(part), {4}, 0, 0).pad();
    file.put(float(part)).zeros(12);
    folder.write("m-0000" + std::to_string(part + 1) + "-of-00003.gguf",
                 file.bytes());
  }
  const auto first = folder.path() / "m-00001-of-00003.gguf";
  const auto model = checkpoint::open(first);
  BOOST_TEST(model.tensors().size() == 3u);
  float value = 0;
  model.read(*model.find("t2"), 0,
             std::as_writable_bytes(std::span(&value, 1)));
  BOOST_TEST(value == 2.0f);

  const auto second = folder.path() / "m-00002-of-00003.gguf";
  check_refused("not the first part", model_fault::missing,
                [&] { checkpoint::open(second); });
  std::filesystem::copy_file(first, second,
                             std::filesystem::copy_options::overwrite_existing);
  check_refused("a part under another's name", model_fault::malformed,
                [&] { checkpoint::open(first); });
  std::filesystem::remove(second);
  check_refused("a part is missing", model_fault::io,
                [&] { checkpoint::open(first); });
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace sluice::test
