// SPDX-License-Identifier: Apache-2.0
#include "model/tokenizer/export_vocabulary.hpp"

#include "model/checkpoint/checkpoint.hpp"
#include "model/tokenizer/load.hpp"
#include "tests/model/checkpoint/refusal.hpp"
#include "tests/model/tokenizer/sample_text.hpp"
#include "tests/support/temporary_directory.hpp"

#include <fstream>
#include <iterator>

namespace sluice::test {

namespace {

namespace fs = std::filesystem;

const fs::path tests_folder = SLUICE_SOURCE_DIR "/tests";
const fs::path golden_folder = tests_folder / "golden/tokenizer";

/// The same ids for 64 KiB of mixed text.
void check_same_ids(const tokenizer& from, const tokenizer& to) {
  sample_text source(5, true);
  for (int chunk = 0; chunk < 16; ++chunk) {
    auto text = source.next_chunk();
    for (auto at = text.find("<unk>"); at != text.npos;
         at = text.find("<unk>")) // a token in GGUF's eyes alone
      text.erase(at, 1);
    for (const bool special : {false, true})
      BOOST_REQUIRE((from.encode(text, {.parse_special = special}) ==
                     to.encode(text, {.parse_special = special})));
  }
}

/// A model folder with a tokenizer of the golden ones.
struct model_folder {
  explicit model_folder(const std::string& file, const char* as) {
    for (const char* part : {"config.json", "model.safetensors"})
      fs::copy(tests_folder / "golden/llama" / part, folder.path() / part);
    fs::copy(golden_folder / file, folder.path() / as);
  }
  checkpoint open() const { return checkpoint::open(folder.path()); }

  temporary_directory folder;
};

} // namespace

/// Leaves added tokens out that look at their neighbours; no key says that.
void simplify(const fs::path& path) {
  std::ifstream in(path);
  auto file = nlohmann::json::parse(in);
  auto kept = nlohmann::json::array();
  for (const auto& token : file["added_tokens"])
    if (!token["single_word"] && !token["lstrip"] && !token["rstrip"] &&
        !token["normalized"])
      kept.push_back(token);
  file["added_tokens"] = kept;
  std::ofstream(path) << file;
}

BOOST_AUTO_TEST_SUITE(exporting_vocabularies)

BOOST_AUTO_TEST_CASE(byte_level_tokenizers_keep_their_ids) {
  const std::pair<const char*, const char*> cases[] = {
      {"gpt2", "gpt-2"}, {"llama3", "llama-bpe"}, {"qwen2", "qwen2"}};
  for (const auto& [file, pre] : cases) {
    const model_folder model(std::string(file) + ".json", "tokenizer.json");
    simplify(model.folder.path() / "tokenizer.json");
    const auto source = model.open();
    const auto exported = export_vocabulary(source);
    BOOST_REQUIRE(exported);
    BOOST_TEST(exported->words.pre == pre);
    BOOST_TEST(exported->words.tokens.size() == 1001u);
    BOOST_TEST(exported->notes.empty() == (file != std::string("qwen2")));
    const auto from = load_tokenizer(source);
    const auto to = load_tokenizer_gguf(exported->words);
    if (file != std::string("qwen2")) // its normal form has no key
      check_same_ids(*from, *to);
    BOOST_TEST((from->bos() == to->bos()));
  }
}

BOOST_AUTO_TEST_CASE(pieces_keep_their_ids) {
  const model_folder model("pieces.model", "tokenizer.model");
  const auto source = model.open();
  const auto exported = export_vocabulary(source);
  BOOST_REQUIRE(exported);
  BOOST_TEST(exported->words.model == "llama");
  check_same_ids(*load_tokenizer(source),
                 *load_tokenizer_gguf(exported->words));
}

BOOST_AUTO_TEST_CASE(what_the_keys_cannot_say_is_refused) {
  for (const char* file :
       {"o200k.json", "prefixed.json", "characters.json", "gpt2.json"}) {
    const model_folder model(file, "tokenizer.json");
    const auto text = check_refused(file, model_fault::unsupported,
                                    [&] { export_vocabulary(model.open()); });
    BOOST_TEST(text.find("GGUF") != text.npos);
  }
}

BOOST_AUTO_TEST_CASE(a_model_without_a_tokenizer_has_none) {
  BOOST_TEST(
      !export_vocabulary(checkpoint::open(tests_folder / "golden/llama")));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace sluice::test
