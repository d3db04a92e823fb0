// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "actors/policy/planned_row.hpp"

namespace sluice::policy {

/// What of a sequence's prompt is scored: how likely each token is after those
/// before it. Scores need logits: KV that is there already can stand in for
/// the positions before `from - 1` only.
struct prompt_scoring {
  std::uint32_t from = 0; // index in the prompt of the first; 0: none
  bool only = false;      // nothing is generated: the last token needs no KV
};

/// A sequence that comes to a lane.
struct new_sequence {
  std::uint64_t key = 0;
  /// At least one token, fewer than the context. If it is only scored: at least
  /// two, and as many as the context.
  std::vector<std::uint32_t> prompt;
  std::uint32_t max_tokens = 0; // to generate; 0: until the context is full
  prompt_scoring scoring = {};
  std::int32_t priority = 0;
  std::uint64_t parent = 0; // who has the same prompt, to share it; 0: nobody
  std::uint64_t group = 0;  // sequences that go on together: see lane_schedule
};

/// Where a sequence of a lane is.
enum class sequence_place : std::uint8_t {
  coming,  // will wish to enter when its parent is ready
  asked,   // has wished
  inside,  // has rows
  dropped, // gave way: its KV will be computed again
  swapped  // gave way: its KV is in host memory
};

/// A sequence of a lane: what is known of it, what is planned, and the rows
/// that follow from that.
class scheduled_sequence {
public:
  /// @param order  of its arrival in the lane.
  scheduled_sequence(new_sequence sequence, std::uint64_t order,
                     std::uint32_t context_tokens);

  /// One of its group that has its tokens and one more. It enters with the
  /// pages that this one has computed, or is outside if this one is.
  scheduled_sequence fork(std::uint64_t child, std::uint32_t token) const;

  // -- where it is

  std::uint64_t key() const { return key_; }
  std::int32_t priority() const { return priority_; }
  std::uint64_t order() const { return order_; }
  std::uint64_t parent() const { return parent_; } // until it has entered
  std::uint64_t group() const { return group_; }
  /// Positions that its parent must have computed first; of a group.
  std::uint32_t awaited() const { return awaited_; }
  sequence_place place() const { return place_; }
  bool is_inside() const { return place_ == sequence_place::inside; }
  bool is_outside() const {
    return place_ == sequence_place::dropped ||
           place_ == sequence_place::swapped;
  }

  void ask() { place_ = sequence_place::asked; }
  /// Positions 0 .. computed - 1 have their KV: rows come from there on.
  void enter(std::uint32_t computed);
  void leave(sequence_place to) {
    place_ = to;
    newborn_ = false;
  }
  /// Outside, of a group: it comes back behind another one of it, with which it
  /// shares the pages of the tokens that both begin with.
  void follow(const scheduled_sequence& leader);
  void lead() { // the others follow
    leave(sequence_place::coming);
    parent_ = 0;
  }
  void come_back(); // from host memory
  /// Its KV and the plans on their way are gone, wherever it is; its tokens are
  /// not. It comes again behind its parent if it had one.
  void start_over();

  // -- what it wants

  bool in_prompt() const { return is_inside() && planned_ < known_tokens_; }
  bool decodes() const {
    return is_inside() && planned_ >= known_tokens_ &&
           (group_ == 0 ? samples_ < max_tokens_ : planned_ < tokens_.size());
  }
  /// Positions up to the end of what is known and not planned yet.
  std::uint32_t remaining() const { return known_tokens_ - planned_; }
  /// Of its tokens, how many positions may have their KV from elsewhere.
  std::uint32_t most_cached() const;

  /// @pre decodes(), in_prompt() and length <= remaining().
  planned_row decode_row() const;
  planned_row prompt_row(std::uint32_t length) const;

  // -- what becomes of it

  /// A plan with this row is on its way.
  void plan(const planned_row& row, row_reference where);
  /// And now it is done.
  void done(std::uint32_t end, std::uint32_t scores);
  /// The token that a row sampled.
  /// @return true if it may generate no more.
  bool append(std::uint32_t token);

  const std::vector<std::uint32_t>& tokens() const { return tokens_; }
  std::uint32_t given_tokens() const { return given_tokens_; } // the prompt
  std::uint32_t planned() const { return planned_; }           // positions
  std::uint32_t computed() const { return computed_; } // while it is inside
  std::uint32_t progress() const { return planned_ - entered_; }
  bool is_named() const { return plans_ > 0; } // by a plan on its way
  bool is_only_scored() const { return scoring_.only; }
  /// The prompt has had its KV: siblings can share it.
  bool prompt_done() const { return prompt_done_; }
  /// Whether a row that ends there is the last of one that is only scored.
  bool completes(std::uint32_t end) const {
    return scoring_.only && end == known_tokens_;
  }

private:
  std::uint32_t needing_kv() const;
  void add_scores(planned_row& row) const;

  std::uint64_t key_;
  std::int32_t priority_;
  std::uint64_t order_;
  std::uint64_t parent_;
  std::uint64_t first_parent_; // as it came to the lane
  std::uint64_t group_;
  std::uint32_t awaited_ = 0;
  std::uint32_t shared_ = 0; // positions to have from the parent; of a group
  sequence_place place_ = sequence_place::coming;
  std::vector<std::uint32_t> tokens_; // known: prompt, then results
  std::uint32_t given_tokens_;        // of them, the prompt
  prompt_scoring scoring_;
  std::uint32_t max_tokens_;
  std::uint32_t known_tokens_ = 0; // on entering, that need KV: go in chunks
  std::uint32_t entered_ = 0;      // positions that had KV on entering
  std::uint32_t planned_ = 0;      // positions that confirmed plans cover
  std::uint32_t computed_ = 0;     // positions that finished plans cover
  std::uint32_t samples_ = 0;      // tokens that confirmed plans sample
  std::uint32_t plans_ = 0;        // on their way that name it
  row_reference last_sample_;
  bool joined_ = false; // has had a row since it entered
  bool prompt_done_ = false;
  bool newborn_ = false; // has never been inside: progress is its parent's
};

} // namespace sluice::policy
