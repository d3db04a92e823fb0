// SPDX-License-Identifier: Apache-2.0
// Hugging Face directories: which files are taken, and shards that lie.
#include "model/checkpoint/checkpoint.hpp"
#include "model/checkpoint/shard_index.hpp"
#include "tests/model/checkpoint/refusal.hpp"
#include "tests/model/checkpoint/safetensors_bytes.hpp"
#include "tests/support/temporary_directory.hpp"

namespace sluice::test {

BOOST_AUTO_TEST_SUITE(model_directory)

/// A file of one f32 tensor with one element.
std::string one_tensor(std::string_view name) {
  return safetensors_file(
      "{\"" + std::string(name) +
          R"(":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
      4);
}

shard_index parse_index(std::string_view json) {
  return parse_shard_index(std::as_bytes(std::span(json.data(), json.size())),
                           "model.safetensors.index.json");
}

BOOST_AUTO_TEST_CASE(index_names_shards_beside_it) {
  const auto index = parse_index(
      R"({"metadata":{"total_size":8},"weight_map":{"b":"2.safetensors",)"
      R"("a":"1.safetensors","c":"2.safetensors"}})");
  BOOST_TEST(index.files ==
                 (std::vector<std::string>{"1.safetensors", "2.safetensors"}),
             boost::test_tools::per_element());
  BOOST_TEST(index.owner.at("c") == 1u);
}

BOOST_AUTO_TEST_CASE(hostile_indices) {
  std::string many = R"({"weight_map":{)";
  for (int i = 0; i < 1'025; ++i)
    many.append(i ? "," : "")
        .append("\"t" + std::to_string(i) + "\":\"" + std::to_string(i) +
                ".safetensors\"");
  const std::pair<model_fault, std::string> cases[] = {
      {model_fault::missing, "{}"},
      {model_fault::missing, R"({"weight_map":{}})"},
      {model_fault::wrong_type, R"({"weight_map":[]})"},
      {model_fault::wrong_type, R"({"weight_map":{"a":1}})"},
      {model_fault::wrong_type, R"({"weight_map":{"a":["x.safetensors"]}})"},
      {model_fault::malformed, R"({"weight_map":{"a":"../x.safetensors"}})"},
      {model_fault::malformed, R"({"weight_map":{"a":"/etc/x.safetensors"}})"},
      {model_fault::malformed, R"({"weight_map":{"a":"d/x.safetensors"}})"},
      {model_fault::malformed, R"({"weight_map":{"a":"..\\x.safetensors"}})"},
      {model_fault::malformed, R"({"weight_map":{"a":"..safetensors"}})"},
      {model_fault::malformed, R"({"weight_map":{"a":".safetensors"}})"},
      {model_fault::malformed, R"({"weight_map":{"a":""}})"},
      {model_fault::malformed, R"({"weight_map":{"a":"x.bin"}})"},
      {model_fault::malformed, R"({"weight_map":{"a":"x\u0000.safetensors"}})"},
      {model_fault::malformed, R"({"weight_map":{"a":")" +
                                   std::string(256, 'x') +
                                   R"(.safetensors"}})"},
      {model_fault::duplicate, R"({"weight_map":{"a":"1.safetensors",)"
                               R"("a":"2.safetensors"}})"},
      {model_fault::limit, many + "}}"},
  };
  for (const auto& [expected, json] : cases)
    check_refused(printable(json), expected, [&] { parse_index(json); });
}

struct sharded {
  temporary_directory folder;

  explicit sharded(std::string_view weight_map) {
    folder.write("config.json", "{}");
    folder.write("1.safetensors", one_tensor("a"));
    folder.write("2.safetensors", one_tensor("b"));
    folder.write("model.safetensors.index.json",
                 R"({"weight_map":)" + std::string(weight_map) + "}");
  }
  checkpoint open() const { return checkpoint::open(folder.path()); }
};

BOOST_AUTO_TEST_CASE(shards_are_one_model) {
  const sharded model(R"({"a":"1.safetensors","b":"2.safetensors"})");
  const auto opened = model.open();
  BOOST_TEST(opened.tensors().size() == 2u);
  BOOST_TEST(opened.tensor_bytes() == 8u);
  BOOST_TEST(opened.find("b")->file == 1u);
  BOOST_TEST(opened.find("c") == nullptr);
}

BOOST_AUTO_TEST_CASE(shards_that_disagree_with_the_index) {
  const std::pair<model_fault, const char*> cases[] = {
      // a tensor in another shard than the index says
      {model_fault::malformed, R"({"a":"2.safetensors","b":"1.safetensors"})"},
      // a tensor that the index does not name
      {model_fault::malformed, R"({"c":"1.safetensors","b":"2.safetensors"})"},
      // a named tensor that no shard has
      {model_fault::missing,
       R"({"a":"1.safetensors","b":"2.safetensors","c":"2.safetensors"})"},
      // a shard that is not there
      {model_fault::io, R"({"a":"1.safetensors","b":"3.safetensors"})"},
  };
  for (const auto& [expected, weight_map] : cases) {
    const sharded model(weight_map);
    check_refused(weight_map, expected, [&] { model.open(); });
  }
  const sharded twice(R"({"a":"1.safetensors","b":"2.safetensors"})");
  twice.folder.write("2.safetensors", one_tensor("a"));
  check_refused("a tensor in two shards", model_fault::duplicate,
                [&] { twice.open(); });
}

BOOST_AUTO_TEST_CASE(paths_that_are_no_models) {
  const temporary_directory folder;
  const auto& path = folder.path();
  const auto refused = [](const std::filesystem::path& p, model_fault fault) {
    check_refused(p.string(), fault, [&] { checkpoint::open(p); });
  };
  refused(path, model_fault::not_a_model);
  refused(path / "absent", model_fault::io);
  refused(path / "absent.gguf", model_fault::io);
  refused(folder.write("weights.bin", "x"), model_fault::not_a_model);
  refused(folder.write("x.gguf", "not a model"), model_fault::not_a_model);
  folder.write("model.safetensors", one_tensor("a"));
  refused(path, model_fault::io); // no config.json
  folder.write("config.json", "[]");
  refused(path, model_fault::malformed);
  folder.write("config.json", "{}");
  BOOST_TEST(checkpoint::open(path).tensors().size() == 1u);
  BOOST_TEST(checkpoint::open(path / "model.safetensors").config().empty());
}

BOOST_AUTO_TEST_CASE(the_tokenizer_is_found_beside_the_weights) {
  using kind = tokenizer_source::kind;
  const sharded model(R"({"a":"1.safetensors","b":"2.safetensors"})");
  BOOST_TEST((model.open().tokenizer().from == kind::none));
  model.folder.write("tokenizer.model", "");
  BOOST_TEST((model.open().tokenizer().from == kind::sentencepiece));
  model.folder.write("tokenizer.json", "{}");
  BOOST_TEST((model.open().tokenizer().from == kind::tokenizer_json));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace sluice::test
