// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace sluice::bench {

/// Where and when something was measured.
struct environment {
  std::string commit; // of the sources; "unknown" if built without git
  std::string device; // the processor's name
  std::string date;   // ISO 8601, UTC
};

environment this_environment();

/// The processor's name in the text of /proc/cpuinfo; "unknown" without one.
std::string processor_name(const std::string& cpuinfo);

} // namespace sluice::bench
