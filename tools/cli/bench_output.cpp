// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/bench_output.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>

#include "tools/bench/environment.hpp"
#include "tools/cli/output.hpp"
#include "tools/cli/version.hpp"

namespace sluice::cli {

std::shared_ptr<bench_output_flags> add_bench_output_flags(CLI::App& app) {
  auto flags = std::make_shared<bench_output_flags>();
  app.add_flag("--json", flags->as_json, "Print a JSON object");
  app.add_option("--plot", flags->plot, "Also draw the result")
      ->type_name("FILE.svg");
  return flags;
}

json environment_json() {
  const auto here = bench::this_environment();
  return {{"version", version},
          {"commit", here.commit},
          {"device", here.device},
          {"date", here.date}};
}

std::string environment_line() {
  const auto here = bench::this_environment();
  return here.device + ", commit " + here.commit + ", " + here.date;
}

json summary_json(const bench::summary& values, double factor) {
  return {{"median", values.median * factor},
          {"min", values.min * factor},
          {"max", values.max * factor},
          {"mad", values.mad * factor}};
}

void write_file(const std::string& path, const std::string& text) {
  std::ofstream file{path};
  file << text;
  file.close();
  if (!file)
    throw output_error{path + ": " + std::strerror(errno)};
}

} // namespace sluice::cli
