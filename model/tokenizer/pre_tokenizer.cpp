// SPDX-License-Identifier: Apache-2.0
#include "model/tokenizer/pre_tokenizer.hpp"

#include "model/tokenizer/normalizer.hpp"

#include <utility>

namespace sluice {

namespace {

class scanner_split final : public pre_tokenizer {
public:
  explicit scanner_split(pattern_scanner scanner) : scanner_(scanner) {}

  void split(text_piece piece, const piece_sink& sink) const override {
    for (std::size_t at = 0; at < piece.text.size();) {
      const auto end = scanner_(piece.text, at);
      sink({piece.text.substr(at, end - at), piece.at_start && at == 0});
      at = end;
    }
  }

private:
  pattern_scanner scanner_;
};

/// Joins neighbouring stretches into pieces as the behaviour says. The
/// stretches are parts of one text, so joining them is moving an edge.
class stretch_joiner {
public:
  stretch_joiner(text_piece whole, split_behavior behavior,
                 const piece_sink& sink)
      : whole_(whole), behavior_(behavior), sink_(sink) {}

  void add(std::string_view stretch, bool match, bool gap) {
    if (gap && stretch.empty())
      return;
    const auto begin =
        static_cast<std::size_t>(stretch.data() - whole_.text.data());
    if (!joins(match)) {
      emit();
      begin_ = begin;
    }
    end_ = begin + stretch.size();
    match_ = match;
    started_ = true;
  }

  void finish() { emit(); }

private:
  bool joins(bool match) const {
    if (!started_)
      return false;
    switch (behavior_) {
    case split_behavior::removed:
    case split_behavior::isolated:
      return false;
    case split_behavior::merged_with_previous:
      return match && !match_;
    case split_behavior::merged_with_next:
      return !match && match_;
    case split_behavior::contiguous:
      return match == match_;
    }
    return false;
  }

  void emit() {
    const bool dropped = behavior_ == split_behavior::removed && match_;
    if (started_ && !dropped && end_ > begin_)
      sink_({whole_.text.substr(begin_, end_ - begin_),
             whole_.at_start && begin_ == 0});
  }

  text_piece whole_;
  split_behavior behavior_;
  const piece_sink& sink_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  bool match_ = false; // of the last stretch added
  bool started_ = false;
};

class match_split final : public pre_tokenizer {
public:
  match_split(match_finder finder, split_behavior behavior, bool invert)
      : finder_(std::move(finder)), behavior_(behavior), invert_(invert) {}

  void split(text_piece piece, const piece_sink& sink) const override {
    stretch_joiner joiner(piece, behavior_, sink);
    finder_(piece.text, [&](std::string_view stretch, bool match) {
      joiner.add(stretch, match != invert_, !match);
    });
    joiner.finish();
  }

private:
  match_finder finder_;
  split_behavior behavior_;
  bool invert_;
};

class metaspace final : public pre_tokenizer {
public:
  explicit metaspace(metaspace_rule rule)
      : rule_(std::move(rule)),
        splitter_(make_match_split(find_literal(rule_.replacement),
                                   split_behavior::merged_with_next, false)) {
    spaces_.add(replace_text{" ", rule_.replacement});
  }

  void split(text_piece piece, const piece_sink& sink) const override {
    std::string text = spaces_.apply(piece.text);
    if (prepends(piece) && !text.starts_with(rule_.replacement))
      text.insert(0, rule_.replacement);
    const text_piece whole{text, piece.at_start};
    if (rule_.split)
      splitter_->split(whole, sink);
    else
      sink(whole);
  }

private:
  bool prepends(text_piece piece) const {
    using prefix = metaspace_rule::prefix;
    return rule_.prepend == prefix::always ||
           (rule_.prepend == prefix::first && piece.at_start);
  }

  metaspace_rule rule_;
  normalizer spaces_;
  pre_tokenizer_ptr splitter_;
};

class space_prefix final : public pre_tokenizer {
public:
  void split(text_piece piece, const piece_sink& sink) const override {
    if (piece.text.starts_with(' '))
      return sink(piece);
    const std::string prefixed = " " + std::string(piece.text);
    sink({prefixed, piece.at_start});
  }
};

class sequence final : public pre_tokenizer {
public:
  explicit sequence(std::vector<pre_tokenizer_ptr> rules)
      : rules_(std::move(rules)) {}

  void split(text_piece piece, const piece_sink& sink) const override {
    run(0, piece, sink);
  }

private:
  // As deep as there are rules, whatever the text.
  void run(std::size_t rule, text_piece piece, const piece_sink& sink) const {
    if (rule == rules_.size())
      return sink(piece);
    rules_[rule]->split(piece,
                        [&](text_piece part) { run(rule + 1, part, sink); });
  }

  std::vector<pre_tokenizer_ptr> rules_;
};

} // namespace

pre_tokenizer_ptr make_scanner_split(pattern_scanner scanner) {
  return std::make_unique<scanner_split>(scanner);
}

pre_tokenizer_ptr make_match_split(match_finder finder, split_behavior behavior,
                                   bool invert) {
  return std::make_unique<match_split>(std::move(finder), behavior, invert);
}

pre_tokenizer_ptr make_metaspace(metaspace_rule rule) {
  return std::make_unique<metaspace>(std::move(rule));
}

pre_tokenizer_ptr make_space_prefix() {
  return std::make_unique<space_prefix>();
}

pre_tokenizer_ptr make_sequence(std::vector<pre_tokenizer_ptr> rules) {
  return std::make_unique<sequence>(std::move(rules));
}

} // namespace sluice
