// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>

namespace sluice::client {

using instant = std::chrono::steady_clock::time_point;
using duration = std::chrono::steady_clock::duration;

/// How patient a client is with one request.
struct patience {
  std::chrono::milliseconds submit{1'000};  // without an answer: submit again
  std::chrono::milliseconds silence{1'000}; // without a chunk: ask for a replay
  std::chrono::milliseconds silence_max{10'000}; // the pause doubles up to this
  std::chrono::milliseconds hole{100}; // chunks wait for an earlier one
};

/// What a client should do about one request as time passes: submit again (the
/// id makes that safe) or ask for chunks again. Knows no sockets; time comes
/// as argument.
class request_track {
public:
  enum class action { none, submit, replay };

  request_track(const patience& patience, instant submitted)
      : patience_{patience}, pause_{patience.silence}, asked_{submitted},
        heard_{submitted} {}

  /// The daemon took the request.
  void accepted(instant now);

  /// A new chunk came.
  /// @param has_hole  an earlier one is missing.
  void heard(instant now, bool has_hole);

  /// A replay was answered.
  void replayed() noexcept { unanswered_ = false; }

  /// What is due now; the caller does it.
  action due(instant now);

  bool is_accepted() const noexcept { return accepted_; }

  /// How often it was submitted.
  unsigned submissions() const noexcept { return submissions_; }

  /// How long the daemon has owed an answer.
  duration owed(instant now) const;

private:
  patience patience_;
  std::chrono::milliseconds pause_; // before the next replay
  instant asked_;                   // last submit or replay
  instant heard_;                   // last sign of life of the stream
  instant owed_since_ = asked_;
  unsigned submissions_ = 1;
  bool accepted_ = false;
  bool has_hole_ = false;
  bool unanswered_ = true;
};

} // namespace sluice::client
