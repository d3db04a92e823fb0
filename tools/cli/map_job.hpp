// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>

#include "tools/cli/line_reader.hpp"
#include "tools/cli/map_results.hpp"
#include "tools/cli/map_row.hpp"
#include "tools/client/client.hpp"

namespace sluice::cli {

/// What has become of the rows so far.
struct map_counts {
  std::uint64_t done = 0;    // answered in this run
  std::uint64_t failed = 0;  // answered with an error in this run
  std::uint64_t skipped = 0; // finished by an earlier run

  std::uint64_t all() const noexcept { return done + failed + skipped; }
};

/// Sends the rows of a file through a daemon, a bounded number at a time, and
/// writes one line for each. A row's error is its result; what passes (a full
/// queue, a restart) is tried again.
class map_job {
public:
  struct settings {
    std::size_t concurrency = 32; // rows in flight
    const request_flags& defaults;
  };

  map_job(client::client& client, line_reader& input, result_file& output,
          settings settings)
      : client_{client}, input_{input}, output_{output}, settings_{settings} {}

  /// Sends what fits and takes what came; waits a little if neither.
  /// @return false when everything is written.
  bool step();

  const map_counts& counts() const noexcept { return counts_; }

private:
  struct entry {
    text_line line;
    json custom_id;
    unsigned tries = 0;
    client::completion text;
  };
  struct later {
    client::instant when;
    entry row;
  };

  void fill();
  std::optional<entry> next_row();
  std::optional<entry> take_due();
  std::optional<entry> read_row();
  void send(entry row);
  void handle(const client::event& event);
  void finish(entry& row, const client::finished& end);
  void fail(entry& row, const client::failure& failure);

  client::client& client_;
  line_reader& input_;
  result_file& output_;
  settings settings_;
  std::unordered_map<messages::request_id, entry> in_flight_;
  std::deque<later> postponed_;
  map_counts counts_;
  bool input_ended_ = false;
};

} // namespace sluice::cli
