// SPDX-License-Identifier: Apache-2.0
#include "tests/model/tokenizer/fixtures.hpp"

#include "model/tokenizer/byte_level.hpp"

#include <fstream>
#include <iterator>
#include <map>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>
#include <sentencepiece_processor.h>

namespace sluice::test {

namespace {

using nlohmann::json;

constexpr std::int32_t normal = 1, unknown = 2, control = 3, defined = 4,
                       byte = 6;

std::int32_t piece_type(const sentencepiece::SentencePieceProcessor& model,
                        int id) {
  if (model.IsUnknown(id))
    return unknown;
  if (model.IsControl(id))
    return control;
  if (model.IsByte(id))
    return byte;
  const auto& name = model.IdToPiece(id);
  return name == "<tool>" || name == "solo" ? defined : normal;
}

} // namespace

std::filesystem::path golden_file(std::string_view name) {
  return std::filesystem::path(SLUICE_SOURCE_DIR) / "tests/golden/tokenizer" /
         name;
}

std::string file_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  BOOST_REQUIRE_MESSAGE(file, "cannot read " << path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::unique_ptr<tokenizer> golden_json(std::string_view name, json_edit keep) {
  auto file = json::parse(file_text(golden_file(std::string(name) + ".json")));
  if (!keep.normalizer)
    file["normalizer"] = nullptr;
  if (!keep.flags)
    for (auto& token : file["added_tokens"])
      for (const char* flag : {"lstrip", "rstrip", "single_word"})
        token[flag] = false;
  return load_tokenizer_json(file.dump());
}

gguf_vocabulary pieces_as_gguf() {
  sentencepiece::SentencePieceProcessor model;
  BOOST_REQUIRE(model.Load(golden_file("pieces.model").string()).ok());
  gguf_vocabulary source;
  source.model = "llama";
  for (int id = 0; id < model.GetPieceSize(); ++id) {
    source.tokens.push_back(model.IdToPiece(id));
    source.scores.push_back(model.GetScore(id));
    source.types.push_back(piece_type(model, id));
  }
  source.bos = model.bos_id();
  source.eos = model.eos_id();
  source.unk = model.unk_id();
  return source;
}

gguf_vocabulary json_as_gguf(std::string_view name, std::string_view pre) {
  const auto file =
      json::parse(file_text(golden_file(std::string(name) + ".json")));
  const auto& model = file["model"];
  std::map<std::uint32_t, std::pair<std::string, std::int32_t>> tokens;
  for (const auto& [text, id] : model["vocab"].items())
    tokens[id] = {text, normal};
  for (const auto& token : file["added_tokens"])
    tokens[token["id"]] = {token["content"],
                           token["special"].get<bool>() ? control : defined};
  gguf_vocabulary source;
  source.model = "gpt2";
  source.pre = pre;
  for (const auto& [id, token] : tokens) {
    source.tokens.push_back(token.first);
    source.types.push_back(token.second);
  }
  for (const auto& pair : model["merges"])
    source.merges.push_back(pair[0].get<std::string>() + " " +
                            pair[1].get<std::string>());
  source.bos = 0;
  source.eos = 1;
  source.add_bos = true;
  return source;
}

std::unique_ptr<tokenizer>
byte_tokenizer(const std::vector<std::string>& merged) {
  gguf_vocabulary source;
  source.model = "gpt2";
  for (int value = 0; value < 256; ++value)
    source.tokens.emplace_back(
        byte_level_char(static_cast<unsigned char>(value)));
  source.types.assign(256, normal);
  const auto add = [&](std::string name, std::int32_t type) {
    source.tokens.push_back(std::move(name));
    source.types.push_back(type);
  };
  add("<|bos|>", control);
  add("<|eos|>", control);
  for (const auto& text : merged) {
    std::string name;
    for (char value : text)
      name += byte_level_char(static_cast<unsigned char>(value));
    add(name, normal);
  }
  source.bos = 256;
  source.eos = 257;
  return load_tokenizer_gguf(source);
}

} // namespace sluice::test
