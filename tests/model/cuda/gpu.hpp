// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/runtime.hpp"

#include <boost/test/unit_test.hpp>

namespace sluice::test {

/// Skips a suite where there is no GPU, and says so.
inline boost::test_tools::assertion_result
has_gpu(boost::unit_test::test_unit_id) {
  boost::test_tools::assertion_result found{!cuda::devices().empty()};
  found.message() << "there is no GPU that CUDA can use";
  return found;
}

} // namespace sluice::test
