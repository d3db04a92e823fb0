// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/log_setup.hpp"

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "tools/cli/json_output.hpp"

namespace sluice::cli {
namespace {

std::string_view view(spdlog::string_view_t text) {
  return {text.data(), text.size()};
}

class json_formatter : public spdlog::formatter {
public:
  void format(const spdlog::details::log_msg& message,
              spdlog::memory_buf_t& out) override {
    const auto since_epoch = message.time.time_since_epoch();
    const auto ms =
        std::chrono::duration_cast<std::chrono::milliseconds>(since_epoch);
    const auto level = spdlog::level::to_string_view(message.level);
    const auto line =
        json_log_line(ms.count(), view(level), view(message.payload)) + "\n";
    out.append(line.data(), line.data() + line.size());
  }

  std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<json_formatter>();
  }
};

const char* text_pattern() {
  const bool journal = std::getenv("JOURNAL_STREAM") != nullptr;
  return journal ? "%l: %v" : "%Y-%m-%d %H:%M:%S.%e %l: %v";
}

/// spdlog calls it "err" on input, and "warn" and "warning" are one.
spdlog::level::level_enum level_of(const std::string& name) {
  return name == "error" ? spdlog::level::err : spdlog::level::from_str(name);
}

} // namespace

void set_up_log(const config::log_section& options) {
  auto logger = std::make_shared<spdlog::logger>(
      "sluice", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  if (options.format == "json")
    logger->set_formatter(std::make_unique<json_formatter>());
  else
    logger->set_pattern(text_pattern());
  logger->set_level(level_of(options.level));
  logger->flush_on(spdlog::level::trace);
  spdlog::set_default_logger(std::move(logger));
}

std::string json_log_line(long long epoch_ms, std::string_view level,
                          std::string_view text) {
  const std::time_t seconds = epoch_ms / 1000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char day[32];
  std::strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &parts);
  char fraction[16];
  std::snprintf(fraction, sizeof fraction, ".%03dZ",
                static_cast<int>(epoch_ms % 1000));
  return to_line({{"time", std::string{day} + fraction},
                  {"level", level},
                  {"text", text}});
}

} // namespace sluice::cli
