// SPDX-License-Identifier: Apache-2.0
#include "actors/policy/replay_window.hpp"

#include <utility>

#include <zlib.h>

#include "kernels/check.hpp"

namespace sluice::policy {
namespace {

std::size_t cost(const replay_window::chunk& c) {
  return c.bytes().size() + replay_window::overhead_bytes;
}

std::uint32_t extend_crc(std::uint32_t crc, std::span<const std::byte> bytes) {
  const auto* first = reinterpret_cast<const Bytef*>(bytes.data());
  return static_cast<std::uint32_t>(crc32_z(crc, first, bytes.size()));
}

} // namespace

void replay_window::append(chunk next) {
  require(next && next->seq() == next_seq_,
          "replay_window::append: chunks come in the order of their seq");
  checksum_ = extend_crc(checksum_, next.bytes());
  bytes_ += cost(next);
  held_.push_back(std::move(next));
  ++next_seq_;
  while (held_.size() > limits_.chunks || bytes_ > limits_.bytes)
    if (drop_oldest() == 0)
      break;
}

std::size_t replay_window::drop_oldest() {
  if (held_.size() <= 1)
    return 0;
  const auto freed = cost(held_.front());
  held_.pop_front();
  bytes_ -= freed;
  return freed;
}

} // namespace sluice::policy
