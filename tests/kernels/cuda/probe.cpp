// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/probe.hpp"

#include "tests/kernels/cuda/device_array.hpp"

#include <boost/test/unit_test.hpp>

#include <array>

using namespace sluice;
using test::device_array;

BOOST_AUTO_TEST_SUITE(cuda_probe)

BOOST_AUTO_TEST_CASE(reading_leaves_the_sink_unless_memory_says_so) {
  cuda::stream work;
  const std::vector<std::uint32_t> zeros(4 * 1027);
  device_array<std::uint32_t> data{work, zeros};
  device_array<std::uint32_t> sink{work, 1};
  cuda::read_probe(data.bytes(), zeros.size() * 4, sink.data(), work);
  BOOST_TEST(sink.values().front() == 0xffffffffu);
  const std::vector<std::uint32_t> magic(4 * 4096, 0x5eed5eedu);
  device_array<std::uint32_t> other{work, magic};
  cuda::read_probe(other.bytes(), magic.size() * 4, sink.data(), work);
  BOOST_TEST(sink.values().front() == 0x5eed5eedu);
}

BOOST_AUTO_TEST_CASE(products_are_counted) {
  cuda::stream work;
  device_array<std::uint32_t> sink{work, 1};
  // 2 blocks of 8 warps, 8 products of 16 x 8 x 16 and of 16 x 8 x 32 each.
  BOOST_TEST(cuda::product_probe(cuda::product_kind::bf16, 1, 3, sink.data(),
                                 work) == 2.0 * 16 * 8 * 16 * 8 * 3 * 16);
  BOOST_TEST(cuda::product_probe(cuda::product_kind::int8, 1, 1, sink.data(),
                                 work) == 2.0 * 16 * 8 * 32 * 8 * 16);
  work.wait();
}

BOOST_AUTO_TEST_SUITE_END()
