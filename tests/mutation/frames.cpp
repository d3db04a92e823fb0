// SPDX-License-Identifier: Apache-2.0
// Feeds mutated frames of every wire message to parse_frame and reads all that
// is taken: `mutate_frames [COUNT [SEED]]`. Prints what happened and how far
// the resident memory grew; more than 16 MiB fails (not under a sanitizer,
// which keeps freed memory aside).
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include <unistd.h>

#include "flatbuffers/minireflect.h"
#include "tests/support/random_frame.hpp"

namespace {

using namespace sluice::messages;
using sluice::testing::generator;
using sluice::testing::wire_messages;
using byte_vector = std::vector<std::byte>;

constexpr std::size_t most_growth_bytes = 16u << 20;
#ifdef __SANITIZE_ADDRESS__
constexpr bool memory_is_ours = false;
#else
constexpr bool memory_is_ours = true;
#endif

struct outcome {
  std::size_t taken = 0;
  std::size_t refused = 0;
  std::size_t characters = 0; // read from what was taken
};

std::size_t resident_bytes() {
  std::ifstream statm{"/proc/self/statm"};
  std::size_t all = 0;
  std::size_t resident = 0;
  statm >> all >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

byte_vector sample(generator& random) {
  byte_vector result;
  auto choice = random() % 17; // of the wire messages
  wire_messages::each([&]<class T>() {
    if (choice-- == 0) {
      const auto made = sluice::testing::random_frame<T>(random);
      result.assign(made.bytes().begin(), made.bytes().end());
    }
  });
  return result;
}

void put_word(byte_vector& bytes, std::size_t at, generator& random) {
  static constexpr std::uint32_t edges[] = {
      0, 1, 4, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFC};
  const auto word = edges[random() % std::size(edges)];
  for (std::size_t i = 0; i < 4 && at + i < bytes.size(); ++i)
    bytes[at + i] = static_cast<std::byte>(word >> (8 * i));
}

/// One change; identifiers mostly stay, or nothing would get far.
void mutate(byte_vector& bytes, generator& random) {
  const auto at = bytes.empty() ? 0 : random() % bytes.size();
  switch (random() % 6) {
  case 0:
    bytes.resize(at);
    return;
  case 1:
    bytes.resize(bytes.size() + random() % 64, std::byte{0x5A});
    return;
  case 2:
    return put_word(bytes, at & ~std::size_t{3}, random);
  case 3: {
    const auto other = sample(random);
    const auto from = random() % other.size();
    bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                 other.begin() + static_cast<std::ptrdiff_t>(from),
                 other.end());
    return;
  }
  default:
    if (at < 4 || at >= 8 || random() % 50 == 0)
      if (!bytes.empty())
        bytes[at] ^= static_cast<std::byte>(1u << random() % 8);
  }
}

void feed(const byte_vector& bytes, outcome& result) {
  wire_messages::each([&]<class T>() {
    if (!is_frame_of<T>(bytes))
      return;
    const auto parsed = parse_frame<T>(bytes, {});
    if (const auto* message = std::get_if<frame<T>>(&parsed)) {
      const auto* first =
          reinterpret_cast<const std::uint8_t*>(message->bytes().data());
      ++result.taken;
      result.characters +=
          flatbuffers::FlatBufferToString(first, T::MiniReflectTypeTable())
              .size();
    } else {
      ++result.refused;
    }
  });
}

outcome run(std::size_t count, generator& random) {
  outcome result;
  for (std::size_t i = 0; i < count; ++i) {
    auto bytes = sample(random);
    for (auto changes = 1 + random() % 4; changes > 0; --changes)
      mutate(bytes, random);
    feed(bytes, result);
  }
  return result;
}

} // namespace

int main(int count, char** arguments) {
  const auto number = [&](int index, std::size_t otherwise) {
    return count > index ? std::strtoull(arguments[index], nullptr, 10)
                         : otherwise;
  };
  const auto frames = number(1, 1'000'000);
  generator random{number(2, 1)};
  run(frames / 100 + 1, random); // so that the allocator has its pools
  const auto before = resident_bytes();
  const auto result = run(frames, random);
  const auto after = resident_bytes();
  const auto growth = after > before ? after - before : 0;
  std::printf("%zu mutated frames: %zu taken, %zu refused, %zu of no known "
              "type; resident memory +%zu KiB\n",
              std::size_t{frames}, result.taken, result.refused,
              std::size_t{frames} - result.taken - result.refused,
              growth >> 10);
  const bool grew = memory_is_ours && growth > most_growth_bytes;
  return grew || result.taken == 0 || result.refused == 0 ? 1 : 0;
}
