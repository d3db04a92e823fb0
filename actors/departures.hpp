// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "actors/running_request.hpp"
#include "messages/lane_generated.h"

namespace sluice::actors {

/// A request that has ended: its last chunk, but for what its pages come to.
struct departure {
  std::unique_ptr<running_request> request;
  std::unique_ptr<messages::FinishedOfT> finished; // or
  std::unique_ptr<messages::FailedOfT> failed;

  messages::ReceiptT& receipt();
  messages::ErrorCode code() const;
};

/// Requests that have ended and whose pages are not all back: a receipt is
/// closed when the ledger has said what they come to.
class departures {
public:
  void add(departure gone);

  /// Pages of a request that is here were given back once more.
  void await_usage(std::uint64_t request);

  /// What pages came to that a sequence gave back.
  /// @return false for a request that is not here.
  bool count_usage(std::uint64_t request, double page_seconds);

  /// Those that are settled, in order of their numbers.
  std::vector<departure> take_settled();

  /// All of them: what is missing will not be told.
  std::vector<departure> take_all();

private:
  std::map<std::uint64_t, departure> waiting_; // by number
};

} // namespace sluice::actors
