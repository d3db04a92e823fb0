// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sluice::bench {

/// What a client saw of one request. Times in seconds from the start of the
/// benchmark.
struct request_record {
  bool success = false;
  std::string error; // if it failed
  std::uint32_t input_tokens = 0;
  double due = 0;  // when it should have been sent
  double sent = 0; // when it was; later if too many were running
  /// One streamed piece: when it came and how many tokens it held.
  struct chunk {
    double at;
    std::uint32_t tokens;
  };
  std::vector<chunk> chunks;

  std::uint32_t output_tokens() const;

  /// Time to the first token. Of a request with chunks only.
  double ttft() const { return chunks.front().at - sent; }

  /// End-to-end latency: to the last token.
  double e2el() const { return chunks.back().at - sent; }
};

/// Limits in milliseconds that a good request keeps.
struct goodput_limits {
  std::optional<double> ttft, tpot, e2el;

  bool any() const { return ttft || tpot || e2el; }
};

/// "ttft:200,tpot:50" or "ttft:200 tpot:50"; milliseconds.
/// @throws std::invalid_argument that names what is wrong.
goodput_limits parse_goodput(const std::string& text);

/// Milliseconds.
struct latency_summary {
  double mean = 0;
  double median = 0;
  double std = 0;
  double p90 = 0;
  double p99 = 0;
};

/// The numbers of `vllm bench serve`, by its formulas.
struct serve_metrics {
  std::uint32_t completed = 0;
  std::uint32_t failed = 0;
  double duration = 0;                   // seconds
  std::uint64_t total_input_tokens = 0;  // of completed requests, as the
  std::uint64_t total_output_tokens = 0; // rest of these
  double request_throughput = 0;         // per second, as the rest of these
  std::optional<double> request_goodput; // if there are limits
  double output_throughput = 0;
  double total_token_throughput = 0;
  double max_output_tokens_per_s = 0; // in the best of whole seconds
  double max_concurrent_requests = 0; // in a second
  latency_summary ttft, tpot, itl, e2el, queueing, queued_e2el;
};

/// TPOT = (E2EL - TTFT) / (output tokens - 1), of requests with two tokens or
/// more; for the goodput it counts 0 with one. ITL: all gaps between chunks,
/// of all requests together. A request without a token counts as failed.
/// @param duration  of the benchmark in seconds, > 0.
serve_metrics compute_metrics(const std::vector<request_record>& records,
                              double duration, const goodput_limits& limits);

} // namespace sluice::bench
