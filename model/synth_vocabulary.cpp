// SPDX-License-Identifier: Apache-2.0
#include "model/synth.hpp"

#include "kernels/check.hpp"

#include <cstdio>
#include <sstream>
#include <unordered_set>

namespace sluice {

namespace {

constexpr std::string_view space = "\xe2\x96\x81"; // U+2581, as SentencePiece

constexpr const char* frequent_words =
    "the of and to in a is that for it was on with as be at by this have from "
    "or one had not but what all were when we there can an your which their "
    "said if do will each about how up out them then she many some so these "
    "would other into has more her two like him see time could no make than "
    "first been its who now people my made over did down only way find use "
    "may water long little very after words called just where most know get "
    "through back much before go good new write our used me man too any day "
    "same right look think also around another came come work three must "
    "because does part even place well such here take why things help put "
    "years different away again off went old number great tell men say small "
    "every found still between name should home big give air line set own "
    "under read last never us left end along while might next sound below saw "
    "something thought both few those always looked show large often together "
    "asked house world going want school important until form food keep "
    "children feet land side without boy once animals life enough took "
    "sometimes four head above kind began almost live page got earth need far "
    "hand high year mother light parts country father let night following "
    "picture being study second eyes soon times story boys since white days "
    "ever paper hard near sentence better best across during today however "
    "sure means knew try told young miles sun ways thing whole hear example "
    "heard several change answer room sea against top turned learn point city "
    "play toward five using himself usually money record order price date "
    "total item invoice amount quantity customer party company payment model "
    "token text value data name list system result function return string "
    "number question language";

class builder {
public:
  builder(synth_vocabulary& out, std::uint32_t size) : out_(out), size_(size) {}

  bool full() const { return out_.pieces.size() == size_; }

  void special(std::string piece, std::int32_t type) {
    seen_.insert(piece);
    out_.pieces.push_back(std::move(piece));
    out_.scores.push_back(0);
    out_.types.push_back(type);
  }

  /// Earlier pieces score higher and are merged first.
  void normal(std::string piece) {
    if (full() || !seen_.insert(piece).second)
      return;
    out_.pieces.push_back(std::move(piece));
    out_.scores.push_back(-static_cast<float>(out_.pieces.size()));
    out_.types.push_back(1);
  }

private:
  synth_vocabulary& out_;
  std::uint32_t size_;
  std::unordered_set<std::string> seen_;
};

void add_bytes(builder& pieces) {
  for (unsigned byte = 0; byte < 256; ++byte) {
    char text[8];
    std::snprintf(text, sizeof text, "<0x%02X>", byte);
    pieces.special(text, 6);
  }
}

/// Single characters: ASCII, the letters of Latin-1, and the space mark.
void add_characters(builder& pieces) {
  pieces.normal(std::string(space));
  for (char c = '!'; c <= '~'; ++c)
    pieces.normal({c});
  for (unsigned code = 0xc0; code <= 0xff; ++code)
    pieces.normal({static_cast<char>(0xc3), static_cast<char>(code - 0x40)});
}

/// Words with every prefix of theirs, so that merging from the left finds them.
void add_words(builder& pieces) {
  std::istringstream words{std::string(frequent_words)};
  for (std::string word; words >> word;)
    for (std::size_t length = 1; length <= word.size(); ++length)
      pieces.normal(std::string(space) + word.substr(0, length));
}

/// All strings of `length` lower-case letters after `prefix`.
void add_letters(builder& pieces, const std::string& prefix, int length) {
  if (length == 0)
    return pieces.normal(prefix);
  for (char c = 'a'; c <= 'z' && !pieces.full(); ++c)
    add_letters(pieces, prefix + c, length - 1);
}

} // namespace

synth_vocabulary make_synth_vocabulary(std::uint32_t size) {
  require(size >= 1'000,
          "make_synth_vocabulary: ask for at least 1,000 pieces");
  synth_vocabulary vocabulary;
  builder pieces(vocabulary, size);
  pieces.special("<unk>", 2);
  pieces.special("<s>", 3);
  pieces.special("</s>", 3);
  add_bytes(pieces);
  add_characters(pieces);
  add_words(pieces);
  for (int length = 1; length <= 4; ++length)
    for (const auto& prefix : {std::string(space), std::string()})
      add_letters(pieces, prefix, length);
  return vocabulary;
}

} // namespace sluice
