// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/environment.hpp"

#include <ctime>
#include <fstream>
#include <sstream>

namespace sluice::bench {
namespace {

std::string now() {
  const auto seconds = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

std::string contents_of(const char* path) {
  std::ostringstream text;
  text << std::ifstream{path}.rdbuf();
  return text.str();
}

} // namespace

std::string processor_name(const std::string& cpuinfo) {
  std::istringstream lines{cpuinfo};
  for (std::string line; std::getline(lines, line);) {
    const auto value = line.find(": ");
    if (line.starts_with("model name") && value != std::string::npos)
      return line.substr(value + 2);
  }
  return "unknown";
}

environment this_environment() {
  return {SLUICE_COMMIT, processor_name(contents_of("/proc/cpuinfo")), now()};
}

} // namespace sluice::bench
