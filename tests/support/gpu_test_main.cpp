// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_NO_MAIN
#define BOOST_TEST_MODULE sluice
#include <boost/test/unit_test.hpp>

#include "kernels/cuda/runtime.hpp"

#include <cstdio>

// ctest shows 77 as skipped.
int main(int count, char** arguments) {
  const auto devices = sluice::cuda::devices();
  if (devices.empty()) {
    std::puts("SKIPPED: there is no GPU that CUDA can use");
    return 77;
  }
  std::printf("on %s\n", devices.front().name.c_str());
  return boost::unit_test::unit_test_main(&init_unit_test, count, arguments);
}
