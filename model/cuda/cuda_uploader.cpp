// SPDX-License-Identifier: Apache-2.0
#include "model/cuda/cuda_uploader.hpp"

#include <algorithm>
#include <exception>
#include <mutex>

namespace sluice {

namespace {

constexpr std::uint64_t usual_piece = 32u << 20; // bytes on their way at once
constexpr std::uint64_t usual_part = 256u << 10; // bytes that a thread makes
constexpr std::uint64_t most_padding = 256;

} // namespace

cuda_uploader::cuda_uploader(int threads, std::uint64_t largest_unit,
                             cuda::stream& in)
    : pool_{threads}, in_{&in} {
  const auto bytes = std::max(usual_piece, largest_unit) + most_padding;
  for (auto& each : pieces_)
    each.memory = cuda::host_memory{static_cast<std::size_t>(bytes)};
}

void cuda_uploader::send(const made_array& array, std::byte* to,
                         const std::function<void(std::uint64_t)>& sent) {
  const auto units = std::max<std::uint64_t>(usual_piece / array.unit_bytes, 1);
  for (std::uint64_t first = 0, done = 0; done < array.bytes; first += units) {
    const auto left = array.bytes - done;
    const auto whole = units * array.unit_bytes;
    // The padding goes with the last unit.
    const auto size = left < whole + most_padding ? left : whole;
    auto& piece = next();
    make(array, first, {piece.memory.data(), static_cast<std::size_t>(size)});
    in_->copy(to + done, piece.memory.data(), static_cast<std::size_t>(size));
    piece.sent.record(*in_);
    piece.used = true;
    done += size;
    sent(done);
  }
}

cuda_uploader::piece& cuda_uploader::next() {
  auto& piece = pieces_[turn_++ % pieces_.size()];
  if (piece.used)
    piece.sent.wait();
  return piece;
}

void cuda_uploader::make(const made_array& array, std::uint64_t first,
                         std::span<std::byte> out) {
  const auto each = std::max<std::uint64_t>(usual_part / array.unit_bytes, 1);
  const auto all = std::max<std::uint64_t>(out.size() / array.unit_bytes, 1);
  const auto parts = (all + each - 1) / each;
  std::mutex mutex; // of the next
  std::exception_ptr failure;
  pool_.parallel_for(static_cast<std::int64_t>(parts), [&](std::int64_t part) {
    const auto unit = static_cast<std::uint64_t>(part) * each;
    const auto begin = static_cast<std::size_t>(unit * array.unit_bytes);
    const auto size = static_cast<std::uint64_t>(part) + 1 == parts
                          ? out.size() - begin
                          : static_cast<std::size_t>(each * array.unit_bytes);
    try {
      array.write(first + unit, out.subspan(begin, size));
    } catch (...) {
      const std::lock_guard lock{mutex};
      failure = std::current_exception();
    }
  });
  if (failure)
    std::rethrow_exception(failure);
}

} // namespace sluice
