// SPDX-License-Identifier: Apache-2.0
#include "model/cuda/cuda_graphs.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <stdexcept>

using namespace sluice;

namespace {

struct graphs_fixture {
  cuda::stream work;
  cuda::device_memory memory{16};
  cuda_graphs graphs;

  /// Every byte becomes `byte`, by the graph of the one size there is.
  void fill(int byte, bool fails = false) {
    graphs.run(
        {},
        [&](cuda::stream& in) {
          in.fill(memory.data(), byte, memory.bytes());
          if (fails)
            throw std::runtime_error{"no more"};
        },
        work);
  }

  int last_byte() {
    std::array<std::byte, 16> host{};
    work.copy(host.data(), memory.data(), host.size());
    work.wait();
    return std::to_integer<int>(host.back());
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(cuda_graphs_of_steps, graphs_fixture)

BOOST_AUTO_TEST_CASE(the_second_step_of_a_size_is_recorded_and_run_from_then) {
  fill(1);
  BOOST_TEST(last_byte() == 1);
  fill(2);
  BOOST_TEST(last_byte() == 2);
  work.fill(memory.data(), 9, memory.bytes());
  fill(3); // as recorded
  BOOST_TEST(last_byte() == 2);
}

BOOST_AUTO_TEST_CASE(a_recording_that_fails_leaves_the_stream_as_it_was) {
  fill(1);
  BOOST_CHECK_THROW(fill(2, true), std::runtime_error);
  work.fill(memory.data(), 7, memory.bytes());
  BOOST_TEST(last_byte() == 7);
  fill(3);
  BOOST_TEST(last_byte() == 3);
}

BOOST_AUTO_TEST_SUITE_END()
