// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/output.hpp"

#include <cerrno>
#include <cstring>

namespace sluice::cli {

void print(std::string_view text) {
  const auto written = std::fwrite(text.data(), 1, text.size(), stdout);
  if (written == text.size() && std::fflush(stdout) == 0)
    return;
  if (errno == EPIPE)
    throw output_closed{"stdout was closed"};
  throw output_error{std::string{"cannot write to stdout: "} +
                     std::strerror(errno)};
}

void print_line(std::string text) {
  text += '\n';
  print(text);
}

} // namespace sluice::cli
