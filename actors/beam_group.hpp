// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "actors/held_answers.hpp"
#include "actors/policy/beam_search.hpp"
#include "messages/lane_generated.h"
#include "model/text_stream.hpp"

namespace sluice::actors {

/// The beams of a running request: what each has come to and which of the
/// request's sequences it is. A beam that goes on keeps its sequence; the
/// others that continue it fork from it into sequences that are free. One that
/// was given up rests for a round, as its pages go back in the same breath in
/// which others fork.
class beam_group {
public:
  /// A beam that goes on as the sequence that it is.
  struct growth {
    std::uint32_t sequence = 0; // index in the request
    std::uint32_t token = 0;
  };
  /// One that goes on as a fork of another.
  struct birth {
    std::uint32_t parent = 0;
    std::uint32_t sequence = 0;
    std::uint32_t token = 0;
  };
  struct verdict {
    std::vector<birth> born; // before their parents grow
    std::vector<growth> grown;
    std::vector<std::uint32_t> given_up;
    std::uint32_t tokens = 0; // generated
    bool done = false;
  };

  /// @param text         must outlive this object.
  /// @param most_tokens  of an answer, > 0.
  beam_group(const messages::Work& work, const tokenizer& text,
             stop_rules rules, std::uint32_t most_tokens);

  /// Sequences that a request needs indices for.
  static std::uint32_t sequences_for(const messages::Work& work) {
    return 2 * work.beam()->width();
  }

  /// Tokens that each row must offer. More than `width` of them may end an
  /// answer only if stop strings do it.
  static std::uint32_t choices_for(const messages::Work& work);

  /// What a sequence's row gave; a second time is as good as the first.
  /// @return true if every beam's has come: decide() is due.
  bool take(std::uint32_t sequence, const messages::TokenLogprob& odds);

  /// The search's next round. The bookkeeping is done; what the lane must do is
  /// in the verdict.
  verdict decide();

  /// The best n answers that are complete, best first and numbered so.
  std::vector<held_answer> answers(std::uint32_t n) const;

private:
  using odds_ptr = std::shared_ptr<const messages::TokenLogprobT>;

  /// What a beam has come to.
  struct line {
    std::vector<std::uint32_t> tokens;
    std::vector<odds_ptr> odds; // beside tokens, if they were asked for
  };
  struct beam {
    std::uint32_t sequence = 0;
    line text;
    text_stream stops; // for its ends alone
    std::optional<std::vector<policy::beam_choice>> choices;
  };

  line grown(const policy::beam_step& step) const;
  odds_ptr odds_of(const policy::beam_step& step) const;
  void keep(const policy::beam_round& round);
  void go_on(const policy::beam_round& round, verdict& result);
  std::uint32_t take_free();
  held_answer answer_of(const line& whole) const;

  const tokenizer* text_;
  stop_rules rules_;
  std::uint32_t logprobs_; // alternatives to publish
  bool want_logprobs_;
  policy::beam_search search_;
  std::vector<beam> beams_; // best first
  std::set<std::uint32_t> free_;
  std::vector<std::uint32_t> resting_;
  std::map<std::uint64_t, line> complete_; // answers, by id
};

} // namespace sluice::actors
