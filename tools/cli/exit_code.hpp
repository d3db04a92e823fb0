// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace sluice::cli {

/// What the programs exit with.
enum exit_code : int {
  exit_done = 0,
  exit_failed = 1,    // the request, or part of the job
  exit_bad_usage = 2, // flags, configuration, input that cannot be right
  exit_no_daemon = 3, // nobody answers at the endpoint
};

} // namespace sluice::cli
