// SPDX-License-Identifier: Apache-2.0
#include "actors/policy/stream_table.hpp"

#include "kernels/check.hpp"

namespace sluice::policy {

stream& stream_table::open(std::uint64_t request, stream_origin origin) {
  require(!streams_.contains(request),
          "stream_table::open: the request has a stream; open it once");
  auto topic = origin.id.hex();
  by_topic_.emplace(topic, request);
  const auto [at, _] = streams_.emplace(
      request, stream{.request = request,
                      .origin = std::move(origin),
                      .topic = std::move(topic),
                      .window = replay_window{limits_.window}});
  bytes_ += overhead_bytes;
  return at->second;
}

stream* stream_table::find(std::uint64_t request) {
  const auto found = streams_.find(request);
  return found == streams_.end() ? nullptr : &found->second;
}

std::vector<stream*> stream_table::of_topic(std::string_view topic) {
  std::vector<stream*> result;
  auto [first, last] = by_topic_.equal_range(topic);
  for (; first != last; ++first)
    result.push_back(find(first->second));
  return result;
}

std::vector<std::uint64_t> stream_table::append(stream& s,
                                                replay_window::chunk next) {
  require(!s.ended, "stream_table::append: the stream has ended");
  const auto before = s.window.bytes();
  s.window.append(std::move(next));
  bytes_ += s.window.bytes();
  bytes_ -= before;
  return make_room(s);
}

std::vector<std::uint64_t> stream_table::make_room(stream& growing) {
  std::vector<std::uint64_t> forgotten;
  while (bytes_ > limits_.total_bytes && !by_expiry_.empty()) {
    forgotten.push_back(by_expiry_.begin()->second);
    erase(forgotten.back());
  }
  while (bytes_ > limits_.total_bytes) {
    const auto freed = growing.window.drop_oldest();
    if (freed == 0)
      break;
    bytes_ -= freed;
  }
  return forgotten;
}

void stream_table::end(stream& s, instant now) {
  require(!s.ended, "stream_table::end: a stream ends once");
  s.ended = true;
  s.expires = now + s.origin.linger;
  by_expiry_.emplace(s.expires, s.request);
}

void stream_table::erase(std::uint64_t request) {
  const auto found = streams_.find(request);
  if (found == streams_.end())
    return;
  const auto& s = found->second;
  bytes_ -= s.window.bytes() + overhead_bytes;
  if (s.ended)
    by_expiry_.erase({s.expires, request});
  auto [first, last] = by_topic_.equal_range(s.topic);
  for (; first != last; ++first)
    if (first->second == request) {
      by_topic_.erase(first);
      break;
    }
  streams_.erase(found);
}

std::vector<std::uint64_t> stream_table::expire(instant now) {
  std::vector<std::uint64_t> result;
  while (!by_expiry_.empty() && by_expiry_.begin()->first <= now) {
    result.push_back(by_expiry_.begin()->second);
    erase(result.back());
  }
  return result;
}

resend_verdict stream_table::ask_resend(stream& s, instant now) {
  if (now >= s.resend_after) {
    s.resend_after = now + limits_.resend_interval;
    s.resend_due = false;
    return resend_verdict::now;
  }
  if (s.resend_due)
    return resend_verdict::already_due;
  s.resend_due = true;
  return resend_verdict::later;
}

} // namespace sluice::policy
