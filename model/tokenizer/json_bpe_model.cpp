// SPDX-License-Identifier: Apache-2.0
#include "model/tokenizer/byte_level.hpp"
#include "model/tokenizer/json_vocabulary.hpp"
#include "model/tokenizer/refuse.hpp"
#include "model/tokenizer/symbol_tables.hpp"

#include <string>
#include <utility>

namespace sluice {

namespace {

using nlohmann::json;

void refuse_option(const char* name) {
  refuse_tokenizer(model_fault::unsupported, std::string("model.") + name,
                   "the option is not supported", convert_tokenizer);
}

void check_options(const json& model) {
  if (const auto type = text_member(model, "type", "BPE"); type != "BPE")
    refuse_component("model", type, "BPE");
  for (const char* affix : {"continuing_subword_prefix", "end_of_word_suffix"})
    if (!text_member(model, affix, "").empty())
      refuse_option(affix);
  const auto dropout = model.find("dropout");
  if (dropout != model.end() && !dropout->is_null() && *dropout != 0.0)
    refuse_option("dropout");
}

/// A merge is "left right" or ["left", "right"].
std::pair<std::string, std::string> read_pair(const json& item,
                                              const std::string& subject) {
  if (item.is_string()) {
    const auto& text = item.get_ref<const std::string&>();
    const auto space = text.find(' ');
    if (space != std::string::npos && text.find(' ', space + 1) == text.npos)
      return {text.substr(0, space), text.substr(space + 1)};
  } else if (item.is_array() && item.size() == 2 && item[0].is_string() &&
             item[1].is_string()) {
    return {item[0].get<std::string>(), item[1].get<std::string>()};
  }
  refuse_tokenizer(model_fault::malformed, subject,
                   "expected two tokens, as \"left right\" or as a pair");
}

void read_merges(const json& list, const vocabulary& words,
                 merge_table& merges) {
  std::uint32_t rank = 0;
  for (const auto& item : list) {
    const auto subject = "model.merges[" + std::to_string(rank) + "]";
    const auto [left, right] = read_pair(item, subject);
    add_merge(left, right, rank++, words, subject, merges);
  }
}

} // namespace

bpe_model read_bpe_model(const json& model, const vocabulary& words,
                         bool byte_level) {
  check_options(model);
  bpe_model result;
  result.byte_level = byte_level;
  result.byte_ids = byte_symbols(words, byte_level);
  if (!byte_level)
    result.char_ids = char_symbols(words);
  result.byte_fallback = flag_member(model, "byte_fallback", false);
  result.fuse_unknown = flag_member(model, "fuse_unk", false);
  if (const auto name = text_member(model, "unk_token", ""); !name.empty()) {
    result.unknown = words.find(name);
    if (!result.unknown)
      refuse_tokenizer(model_fault::missing, "model.unk_token",
                       "the token is not in the vocabulary");
  }
  if (flag_member(model, "ignore_merges", false))
    result.words = whole_words(words, byte_level);
  const auto& merges = list_member(model, "merges");
  result.merges = merge_table(merges.size());
  read_merges(merges, words, result.merges);
  return result;
}

} // namespace sluice
