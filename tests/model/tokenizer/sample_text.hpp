// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::test {

/// Mixed text from a seed, the same as tools/train/tokenizer_text.py: words,
/// digits, white space of all kinds, contractions, combining marks, CJK,
/// emoji, other scripts, special tokens, code points of all planes.
class sample_text {
public:
  /// @param settled_only  leaves out what depends on the Unicode version.
  explicit sample_text(std::uint64_t seed, bool settled_only = false)
      : state_(seed), settled_only_(settled_only) {}

  /// The next text, of at least 4 KiB.
  std::string next_chunk();

  /// A number below `count`.
  std::uint32_t below(std::uint32_t count);

private:
  std::string item();
  std::string between(char32_t first, std::uint32_t count);
  std::string any_plane();
  std::string accented();
  std::string script();
  std::string repeated();

  std::uint64_t state_;
  bool settled_only_;
};

} // namespace sluice::test
