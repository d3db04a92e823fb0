// SPDX-License-Identifier: Apache-2.0
#include "model/tokenizer/piece_merges.hpp"

#include "model/tokenizer/bpe_encoder.hpp"
#include "model/tokenizer/refuse.hpp"
#include "model/tokenizer/unicode.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>
#include <string_view>

namespace sluice {

namespace {

constexpr std::size_t max_piece_bytes = 512;

/// Position of each token's score among the distinct scores, highest first.
std::vector<std::uint32_t> ranks_of(const std::vector<float>& scores) {
  auto distinct = scores;
  std::sort(distinct.begin(), distinct.end(), std::greater<>{});
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  std::vector<std::uint32_t> ranks;
  for (const auto score : scores)
    ranks.push_back(static_cast<std::uint32_t>(
        std::lower_bound(distinct.begin(), distinct.end(), score,
                         std::greater<>{}) -
        distinct.begin()));
  return ranks;
}

/// Symbols by text: pieces that merging can make, and characters.
class symbol_finder {
public:
  symbol_finder(const vocabulary& words,
                const std::unordered_map<char32_t, std::uint32_t>& char_ids)
      : words_(words), char_ids_(char_ids) {}

  std::optional<std::uint32_t> find(std::string_view text) const {
    const auto [value, length] = decode_utf8(text, 0);
    if (length == text.size() && value != invalid_byte) {
      const auto known = char_ids_.find(value);
      return known != char_ids_.end()
                 ? known->second
                 : bpe_model::not_a_token | static_cast<std::uint32_t>(value);
    }
    const auto id = words_.find(text);
    return id && words_[*id].kind == token_kind::normal ? id : std::nullopt;
  }

private:
  const vocabulary& words_;
  const std::unordered_map<char32_t, std::uint32_t>& char_ids_;
};

void add_cuts(std::string_view piece, merge value, const symbol_finder& symbols,
              merge_table& merges) {
  std::size_t cut = decode_utf8(piece, 0).length;
  while (cut < piece.size()) {
    const auto left = symbols.find(piece.substr(0, cut));
    const auto right = left ? symbols.find(piece.substr(cut)) : std::nullopt;
    if (right)
      merges.set(*left, *right, value);
    cut += decode_utf8(piece, cut).length;
  }
}

void check(std::uint32_t id, std::string_view piece, float score) {
  const auto subject = "token " + std::to_string(id);
  if (std::isnan(score))
    refuse_tokenizer(model_fault::malformed, subject,
                     "its score is not a number");
  if (piece.size() > max_piece_bytes)
    refuse_tokenizer(model_fault::limit, subject, "longer than 512 bytes");
}

} // namespace

merge_table
piece_merges(const vocabulary& words, const std::vector<float>& scores,
             const std::unordered_map<char32_t, std::uint32_t>& char_ids) {
  for (std::uint32_t id = 0; id < words.size(); ++id)
    check(id, words.name(id), scores[id]);
  const auto ranks = ranks_of(scores);
  const symbol_finder symbols(words, char_ids);
  merge_table merges(2 * words.size());
  for (std::uint32_t id = 0; id < words.size(); ++id)
    if (words[id].kind == token_kind::normal &&
        words.find(words.name(id)) == id && !words.name(id).empty())
      add_cuts(words.name(id), {ranks[id], id}, symbols, merges);
  return merges;
}

} // namespace sluice
