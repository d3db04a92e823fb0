// SPDX-License-Identifier: Apache-2.0
#include "model/gguf_writer.hpp"

#include "kernels/check.hpp"
#include "tests/model/checkpoint/refusal.hpp"
#include "tests/model/small_model.hpp"

namespace sluice::test {

BOOST_AUTO_TEST_SUITE(gguf_writers)

BOOST_AUTO_TEST_CASE(the_reader_accepts_every_key_and_type) {
  const temporary_directory folder;
  const auto path = folder.path() / "all.gguf";
  const std::string words[] = {"a", "", "ü"};
  const std::int32_t numbers[] = {1, -2};
  const float fractions[] = {0.5f};
  const std::uint64_t shape[] = {3, 64};
  gguf_writer writer(path);
  writer.add_bool("flag", true);
  writer.add_texts("words", words);
  writer.add_i32s("numbers", numbers);
  writer.add_f32s("fractions", fractions);
  for (auto type :
       {dtype::f32, dtype::f16, dtype::bf16, dtype::q8_0, dtype::q4_0})
    writer.declare("t." + std::string(name(type)), type, shape);
  BOOST_TEST(writer.tensor_bytes() == 3u * (256 + 128 + 128 + 68 + 36));
  for (std::size_t bytes : {768, 384, 384, 204, 108})
    for (std::size_t half = 0; half < 2; ++half) // in two calls each
      writer.write(std::vector<std::byte>(bytes / 2, std::byte{1}));
  BOOST_TEST(!std::filesystem::exists(path));
  writer.finish();

  const auto model = checkpoint::open(path);
  BOOST_TEST(model.metadata().flag("flag", false));
  BOOST_TEST(model.metadata().strings("words")[2] == "ü");
  BOOST_TEST(model.metadata().i32_array("numbers")[1] == -2);
  BOOST_TEST(model.tensors().size() == 5u);
  BOOST_TEST((model.find("t.q4_0")->type->usable == dtype::q4_0));
  BOOST_TEST(shape_text(model.find("t.q4_0")->dimensions()) == "[3, 64]");
}

BOOST_AUTO_TEST_CASE(an_unfinished_file_never_appears) {
  const temporary_directory folder;
  const std::uint64_t shape[] = {4};
  {
    gguf_writer writer(folder.path() / "x.gguf");
    writer.declare("t", dtype::f32, shape);
    writer.write(std::vector<std::byte>(8));
    BOOST_CHECK_THROW(writer.finish(), contract_violation);
    BOOST_CHECK_THROW(writer.write(std::vector<std::byte>(9)),
                      contract_violation);
    BOOST_CHECK_THROW(writer.add_u32("late", 1), contract_violation);
  }
  BOOST_TEST(std::filesystem::is_empty(folder.path()));
  check_refused("no such folder", model_fault::io, [&] {
    gguf_writer writer(folder.path() / "absent" / "x.gguf");
  });
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace sluice::test
