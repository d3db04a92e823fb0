// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/serve/metrics.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>
#include <stdexcept>

#include "tools/bench/statistics.hpp"

namespace sluice::bench {
namespace {

constexpr double milliseconds = 1e3; // of a second

latency_summary in_milliseconds(std::vector<double> seconds) {
  for (auto& value : seconds)
    value *= milliseconds;
  return {mean(seconds), percentile(seconds, 50), deviation(seconds),
          percentile(seconds, 90), percentile(seconds, 99)};
}

bool completed(const request_record& record) {
  return record.success && record.output_tokens() > 0;
}

/// 0 for one token, as the goodput takes it.
double tpot_of(const request_record& record) {
  const auto tokens = record.output_tokens();
  return tokens > 1 ? (record.e2el() - record.ttft()) / (tokens - 1) : 0;
}

bool is_good(const request_record& record, const goodput_limits& limits) {
  const auto keeps = [](const std::optional<double>& limit, double seconds) {
    return !limit || *limit >= seconds * milliseconds;
  };
  return keeps(limits.ttft, record.ttft()) &&
         keeps(limits.tpot, tpot_of(record)) &&
         keeps(limits.e2el, record.e2el());
}

/// The times of all completed requests, in seconds.
struct samples {
  std::vector<double> ttft, tpot, itl, e2el, queueing, queued_e2el;

  void add(const request_record& record) {
    ttft.push_back(record.ttft());
    if (record.output_tokens() > 1)
      tpot.push_back(tpot_of(record));
    for (std::size_t i = 1; i < record.chunks.size(); ++i)
      itl.push_back(record.chunks[i].at - record.chunks[i - 1].at);
    e2el.push_back(record.e2el());
    queueing.push_back(record.sent - record.due);
    queued_e2el.push_back(record.chunks.back().at - record.due);
  }
};

/// What happened in each second after the first request was sent.
class seconds_count {
public:
  explicit seconds_count(const std::vector<request_record>& records) {
    double last = 0;
    first_ = std::numeric_limits<double>::max();
    for (const auto& record : records)
      if (completed(record)) {
        first_ = std::min(first_, record.sent);
        last = std::max(last, record.chunks.back().at);
      }
    const auto length = last > first_ ? std::ceil(last - first_) : 0;
    tokens_.resize(static_cast<std::size_t>(length) + 1);
    requests_.resize(tokens_.size());
  }

  void add(const request_record& record) {
    for (const auto& chunk : record.chunks)
      tokens_[index(chunk.at)] += chunk.tokens;
    for (auto i = index(record.sent); i <= index(record.chunks.back().at); ++i)
      requests_[i] += 1;
  }

  double most_tokens() const {
    return *std::max_element(tokens_.begin(), tokens_.end());
  }
  double most_requests() const {
    return *std::max_element(requests_.begin(), requests_.end());
  }

private:
  std::size_t index(double at) const {
    return std::min(static_cast<std::size_t>(at - first_), tokens_.size() - 1);
  }

  double first_ = 0;
  std::vector<double> tokens_, requests_;
};

} // namespace

std::uint32_t request_record::output_tokens() const {
  std::uint32_t sum = 0;
  for (const auto& chunk : chunks)
    sum += chunk.tokens;
  return sum;
}

goodput_limits parse_goodput(const std::string& text) {
  auto words = text;
  std::replace(words.begin(), words.end(), ',', ' ');
  std::istringstream parts{words};
  goodput_limits limits;
  for (std::string part; parts >> part;) {
    const auto colon = part.find(':');
    const auto name = part.substr(0, colon);
    auto* limit = name == "ttft"   ? &limits.ttft
                  : name == "tpot" ? &limits.tpot
                  : name == "e2el" ? &limits.e2el
                                   : nullptr;
    std::istringstream number{
        colon == std::string::npos ? "" : part.substr(colon + 1)};
    double value = 0;
    if (limit == nullptr || !(number >> value) || !number.eof() || value < 0)
      throw std::invalid_argument{
          "goodput '" + part +
          "' is not ttft, tpot or e2el with milliseconds, as in ttft:200"};
    *limit = value;
  }
  if (!limits.any())
    throw std::invalid_argument{"goodput: no limit given, as in ttft:200"};
  return limits;
}

serve_metrics compute_metrics(const std::vector<request_record>& records,
                              double duration, const goodput_limits& limits) {
  serve_metrics result;
  result.duration = duration;
  samples all;
  seconds_count seconds{records};
  std::uint32_t good = 0;
  for (const auto& record : records) {
    if (!completed(record)) {
      ++result.failed;
      continue;
    }
    ++result.completed;
    result.total_input_tokens += record.input_tokens;
    result.total_output_tokens += record.output_tokens();
    good += is_good(record, limits) ? 1 : 0;
    all.add(record);
    seconds.add(record);
  }
  const auto output = static_cast<double>(result.total_output_tokens);
  result.request_throughput = result.completed / duration;
  if (limits.any())
    result.request_goodput = good / duration;
  result.output_throughput = output / duration;
  result.total_token_throughput =
      (static_cast<double>(result.total_input_tokens) + output) / duration;
  result.max_output_tokens_per_s = seconds.most_tokens();
  result.max_concurrent_requests = seconds.most_requests();
  result.ttft = in_milliseconds(all.ttft);
  result.tpot = in_milliseconds(all.tpot);
  result.itl = in_milliseconds(all.itl);
  result.e2el = in_milliseconds(all.e2el);
  result.queueing = in_milliseconds(all.queueing);
  result.queued_e2el = in_milliseconds(all.queued_e2el);
  return result;
}

} // namespace sluice::bench
