// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/stop_matcher.hpp"
#include "model/utf8_repair.hpp"

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

class tokenizer;

/// When generated text ends, apart from its length.
struct stop_rules {
  std::vector<std::string> strings;  // UTF-8, none empty; cut from the text
  std::vector<std::uint32_t> tokens; // EOS among them unless it is ignored
  std::uint32_t min_tokens = 0;      // the first min_tokens tokens never stop
  bool skip_special = true;          // control tokens add no text
};

enum class stop_reason { stop_token, stop_string };

/// What one token, or the end, released.
struct text_step {
  std::string text; // whole UTF-8 characters, final: never withdrawn
  /// Tokens since the beginning whose text is out, a stop token included. A
  /// token that a stop string cut short counts; one that it cut off does not.
  std::uint64_t released_tokens = 0;
  std::optional<stop_reason> reason;
  std::uint32_t stop_index = 0; // which string or token of the rules
};

/// Turns the tokens of one sequence into text as they come.
///
/// It holds back the bytes of an unfinished character and every suffix that
/// may yet become a stop string; everything else leaves at once. The emitted
/// text does not depend on how the text was cut into tokens. A value: copying
/// it copies the state (a preempted or speculated sequence may go back to a
/// copy). No I/O, no clock.
class text_stream {
public:
  /// @param source  must outlive the stream.
  /// @throws contract_violation for an empty stop string.
  text_stream(const tokenizer& source, stop_rules rules);

  /// Appends one token.
  /// @throws contract_violation after a stop or flush().
  /// @note   amortised linear in the bytes of the token, per stop string.
  text_step push(std::uint32_t token);

  /// Ends the text for another reason (length, cancel): releases what was
  /// held back; half a character becomes U+FFFD.
  text_step flush();

  bool finished() const noexcept { return finished_; }

  /// Bytes emitted so far.
  std::uint64_t text_bytes() const noexcept { return emitted_; }

private:
  bool may_stop() const noexcept { return pushed_ > rules_->min_tokens; }
  std::optional<std::uint32_t> stop_token(std::uint32_t token) const noexcept;
  std::optional<text_step> find_stop_string(std::size_t from);
  text_step stop_at_string(std::size_t cut, std::uint32_t which);
  text_step release(std::size_t count);

  const tokenizer* source_;
  std::shared_ptr<const stop_rules> rules_;
  stop_matcher matcher_; // has seen all of held_
  utf8_repair repair_;
  std::string held_;               // complete characters, not yet emitted
  std::uint64_t emitted_ = 0;      // offset in the text of held_[0]
  std::uint64_t pushed_ = 0;       // tokens seen
  std::uint64_t released_ = 0;     // tokens whose text is out
  std::uint64_t begin_ = 0;        // text offset where token released_ begins
  std::deque<std::uint64_t> ends_; // text offset after each unreleased token
  bool finished_ = false;
};

} // namespace sluice
