// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/serve/report.hpp"

#include <cstdio>

namespace sluice::bench {
namespace {

constexpr std::size_t width = 50;

/// A headline in the middle of a line of `fill`.
std::string headline(const std::string& text, char fill) {
  const auto left = (width - text.size()) / 2;
  return std::string(left, fill) + text +
         std::string(width - text.size() - left, fill) + "\n";
}

std::string row(const std::string& name, const char* format, double value) {
  char number[64], line[128];
  std::snprintf(number, sizeof number, format, value);
  std::snprintf(line, sizeof line, "%-40s %-10s\n", name.c_str(), number);
  return line;
}

std::string count(const std::string& name, double value) {
  return row(name, "%.0f", value);
}

std::string decimal(const std::string& name, double value) {
  return row(name, "%.2f", value);
}

std::string section(const std::string& title, const std::string& name,
                    const latency_summary& values) {
  return headline(title, '-') +
         decimal("Mean " + name + " (ms):", values.mean) +
         decimal("Median " + name + " (ms):", values.median) +
         decimal("P99 " + name + " (ms):", values.p99);
}

void add(nlohmann::ordered_json& out, const std::string& name,
         const latency_summary& values) {
  out["mean_" + name + "_ms"] = values.mean;
  out["median_" + name + "_ms"] = values.median;
  out["std_" + name + "_ms"] = values.std;
  out["p90_" + name + "_ms"] = values.p90;
  out["p99_" + name + "_ms"] = values.p99;
}

/// Per request: lengths and times in seconds, in the order of the requests.
void add_details(nlohmann::ordered_json& out,
                 const std::vector<request_record>& records) {
  for (const char* key :
       {"input_lens", "output_lens", "ttfts", "itls", "errors"})
    out[key] = nlohmann::ordered_json::array();
  for (const auto& record : records) {
    auto gaps = nlohmann::ordered_json::array();
    for (std::size_t i = 1; i < record.chunks.size(); ++i)
      gaps.push_back(record.chunks[i].at - record.chunks[i - 1].at);
    out["input_lens"].push_back(record.input_tokens);
    out["output_lens"].push_back(record.success ? record.output_tokens() : 0);
    out["ttfts"].push_back(record.chunks.empty() ? 0 : record.ttft());
    out["itls"].push_back(std::move(gaps));
    out["errors"].push_back(record.error);
  }
}

} // namespace

std::string serve_text(const serve_metrics& m, const serve_settings& settings) {
  auto text = headline(" Serving Benchmark Result ", '=') +
              count("Successful requests:", m.completed) +
              count("Failed requests:", m.failed);
  if (settings.max_concurrency > 0)
    text += count("Maximum request concurrency:", settings.max_concurrency);
  if (settings.request_rate)
    text += decimal("Request rate configured (RPS):", *settings.request_rate);
  text +=
      decimal("Benchmark duration (s):", m.duration) +
      count("Total input tokens:", static_cast<double>(m.total_input_tokens)) +
      count("Total generated tokens:",
            static_cast<double>(m.total_output_tokens)) +
      decimal("Request throughput (req/s):", m.request_throughput);
  if (m.request_goodput)
    text += decimal("Request goodput (req/s):", *m.request_goodput);
  text += decimal("Output token throughput (tok/s):", m.output_throughput) +
          decimal("Peak output token throughput (tok/s):",
                  m.max_output_tokens_per_s) +
          decimal("Peak concurrent requests:", m.max_concurrent_requests) +
          decimal("Total token throughput (tok/s):", m.total_token_throughput) +
          section("Time to First Token", "TTFT", m.ttft) +
          section("Time per Output Token (excl. 1st token)", "TPOT", m.tpot) +
          section("Inter-token Latency", "ITL", m.itl) +
          section("End-to-end Latency", "E2EL", m.e2el);
  if (settings.max_concurrency > 0)
    text += section("Client-side Queueing", "Queueing", m.queueing) +
            section("Queue-inclusive End-to-end Latency", "Queued E2EL",
                    m.queued_e2el);
  return text + std::string(width, '=') + "\n";
}

nlohmann::ordered_json serve_json(const serve_metrics& m,
                                  const std::vector<request_record>& records) {
  nlohmann::ordered_json out{
      {"duration", m.duration},
      {"completed", m.completed},
      {"failed", m.failed},
      {"total_input_tokens", m.total_input_tokens},
      {"total_output_tokens", m.total_output_tokens},
      {"request_throughput", m.request_throughput},
      {"request_goodput", nullptr},
      {"output_throughput", m.output_throughput},
      {"total_token_throughput", m.total_token_throughput},
      {"max_output_tokens_per_s", m.max_output_tokens_per_s},
      {"max_concurrent_requests", m.max_concurrent_requests}};
  if (m.request_goodput)
    out["request_goodput"] = *m.request_goodput;
  add(out, "ttft", m.ttft);
  add(out, "tpot", m.tpot);
  add(out, "itl", m.itl);
  add(out, "e2el", m.e2el);
  add_details(out, records);
  return out;
}

} // namespace sluice::bench
