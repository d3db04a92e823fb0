// SPDX-License-Identifier: Apache-2.0
// The emulated device, lost on purpose.
#include "kernels/cuda/launch.hpp"

#include "kernels/check.hpp"
#include "kernels/cuda/emulation/faults.hpp"

#include <boost/test/unit_test.hpp>

using namespace sluice;
using namespace sluice::cuda;

namespace {

void mark_kernel(int* data) {
  data[thread()] = 1;
}

bool is_sticky(const device_error& error) {
  return error.sticky();
}

/// Gives the device back whole.
struct lost_fixture {
  ~lost_fixture() { reset_device(0); }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(lost_device, lost_fixture)

BOOST_AUTO_TEST_CASE(any_call_can_be_the_last) {
  for (int call = 0; call < 6; ++call) {
    {
      stream work;
      event point;
      device_memory memory{32 * sizeof(int)};
      auto* data = reinterpret_cast<int*>(memory.data());
      emulation::lose_device_after(static_cast<std::uint64_t>(call));
      int done = 0;
      const auto all = [&] {
        work.fill(data, 0, memory.bytes()), ++done;
        launch(work, {.threads = 32}, mark_kernel, data), ++done;
        int first = 0;
        work.copy(&first, data, sizeof first), ++done;
        BOOST_TEST(first == 1);
        point.record(work), ++done;
        work.wait(), ++done;
      };
      if (call == 5) {
        all();
      } else {
        BOOST_CHECK_EXCEPTION(all(), device_error, is_sticky);
        BOOST_TEST(done == call);
        BOOST_CHECK_EXCEPTION(work.wait(), device_error, is_sticky);
        BOOST_CHECK_EXCEPTION(device_memory{16}, device_error, is_sticky);
        BOOST_CHECK_EXCEPTION(host_memory{16}, device_error, is_sticky);
        BOOST_CHECK_EXCEPTION(use_device(0), device_error, is_sticky);
      }
    }
    reset_device(0);
    device_memory again{16};
  }
}

BOOST_AUTO_TEST_CASE(what_a_graph_does_counts_when_it_runs) {
  device_memory memory{32 * sizeof(int)};
  auto* data = reinterpret_cast<int*>(memory.data());
  stream work;
  const auto before = emulation::calls();
  work.begin_recording();
  work.fill(data, 0, memory.bytes());
  launch(work, {.threads = 32}, mark_kernel, data);
  const auto both = work.end_recording();
  BOOST_TEST(emulation::calls() == before);
  work.run(both);
  BOOST_TEST(emulation::calls() == before + 2);
  emulation::lose_device_after(1);
  BOOST_CHECK_EXCEPTION(work.run(both), device_error, is_sticky);
  memory = {};
}

BOOST_AUTO_TEST_CASE(a_reset_finds_who_still_has_memory) {
  {
    const host_memory forgotten{16};
    BOOST_CHECK_THROW(reset_device(0), contract_violation);
  }
  reset_device(0);
}

BOOST_AUTO_TEST_SUITE_END()
