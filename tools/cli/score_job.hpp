// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>

#include "tools/cli/request_flags.hpp"
#include "tools/cli/score_row.hpp"
#include "tools/client/client.hpp"

namespace sluice {
class tokenizer;
}

namespace sluice::cli {

struct score_settings {
  std::size_t concurrency = 32; // requests in flight
  bool per_token = false;
  std::uint32_t top = 0; // alternatives per token
  score_fields fields;
  request_flags request; // model, priority, deadline
  // Of a sliding window, which cuts the text here:
  std::size_t stride = 0; // 0: no window
  std::size_t window = 0;
  std::shared_ptr<const tokenizer> text; // of the model; set with stride
};

/// Sends the texts of an input through a daemon, a bounded number at a time,
/// and gives their scores in the order of the input. A text's error is its
/// result; what passes (a full queue, a restart) is tried again.
class score_job {
public:
  /// The next line, if it comes within the given time.
  using source =
      std::function<line_reader::status(text_line&, std::chrono::milliseconds)>;
  using sink = std::function<void(const scored_text&)>;

  score_job(client::client& client, source input, sink output,
            score_settings settings)
      : client_{client}, input_{std::move(input)}, output_{std::move(output)},
        settings_{std::move(settings)} {}

  /// Sends what fits and takes what came; waits a little if neither.
  /// @return false when everything is given out.
  bool step();

  std::uint64_t rows() const noexcept { return rows_done_; }
  std::uint64_t failed() const noexcept { return failed_; }
  const score_sum& total() const noexcept { return total_; }

private:
  /// One request of a row, and what it came to.
  struct part {
    score_piece piece;
    unsigned tries = 0;
    client::instant not_before{};
    bool sent = false;
    client::completion answer;
    bool answered = false; // for good
    score_sum sum;
    std::uint32_t prompt_tokens = 0;
  };
  struct row {
    scored_text result;
    std::vector<part> parts;
  };
  struct place {
    row* of;
    std::size_t index;
  };

  bool read_row();
  std::vector<score_piece> pieces_of(score_piece piece) const;
  void send_due();
  void send(row& of, std::size_t index);
  messages::SubmitT to_score(const score_piece& piece) const;
  void handle(const client::event& event);
  void finish(part& part, row& of, const client::finished& end);
  void fail(part& part, row& of, const client::failure& failure);
  void give_out();
  void sum_up(row& of) const;

  client::client& client_;
  source input_;
  sink output_;
  score_settings settings_;
  std::deque<std::unique_ptr<row>> rows_; // not yet given out
  std::unordered_map<messages::request_id, place> in_flight_;
  bool input_ended_ = false;
  std::uint64_t rows_done_ = 0;
  std::uint64_t failed_ = 0;
  score_sum total_;
};

} // namespace sluice::cli
