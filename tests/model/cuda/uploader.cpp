// SPDX-License-Identifier: Apache-2.0
#include "model/cuda/cuda_uploader.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <stdexcept>
#include <vector>

using namespace sluice;

namespace {

constexpr std::uint64_t unit = 4096;

/// Each unit is filled with its number; padding stays as it was found.
made_array numbered(std::uint64_t bytes) {
  return {.bytes = bytes,
          .unit_bytes = unit,
          .write = [](std::uint64_t first, std::span<std::byte> out) {
            for (std::size_t i = 0; i < out.size(); ++i)
              out[i] = static_cast<std::byte>((first + i / unit) % 251);
          }};
}

std::vector<std::byte> arrived(const cuda::device_memory& memory,
                               std::size_t bytes, cuda::stream& in) {
  std::vector<std::byte> host(bytes);
  in.copy(host.data(), memory.data(), bytes);
  in.wait();
  return host;
}

} // namespace

BOOST_AUTO_TEST_SUITE(cuda_upload)

BOOST_AUTO_TEST_CASE(arrays_of_many_pieces_arrive_whole) {
  // Two pieces and a bit, padding behind the last unit, and a small one.
  const auto large = (70ull << 20) / unit * unit + 128;
  cuda::stream in;
  cuda::device_memory memory{static_cast<std::size_t>(large + unit)};
  for (const int threads : {1, 3}) {
    cuda_uploader uploader{threads, unit, in};
    std::vector<std::uint64_t> told;
    const auto tell = [&](std::uint64_t sent) { told.push_back(sent); };
    uploader.send(numbered(large), memory.data(), tell);
    uploader.send(numbered(unit), memory.data() + large, tell);
    uploader.finish();
    BOOST_TEST(std::is_sorted(told.begin(), told.end() - 1));
    BOOST_TEST(told.at(told.size() - 2) == large);
    const auto host = arrived(memory, large + unit, in);
    for (std::uint64_t at = 0; at < large; at += 1000)
      BOOST_REQUIRE(host[at] == static_cast<std::byte>(at / unit % 251));
    BOOST_TEST((host[large] == std::byte{0}));
  }
}

BOOST_AUTO_TEST_CASE(what_the_maker_throws_reaches_the_caller) {
  cuda::stream in;
  cuda::device_memory memory{unit};
  cuda_uploader uploader{2, unit, in};
  made_array broken = numbered(unit);
  broken.write = [](std::uint64_t, std::span<std::byte>) {
    throw std::runtime_error{"no"};
  };
  BOOST_CHECK_THROW(uploader.send(broken, memory.data(), [](auto) {}),
                    std::runtime_error);
}

BOOST_AUTO_TEST_SUITE_END()
