// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "tools/bench/roofline/roofline.hpp"

namespace sluice::bench {

/// One op on one shape, its data ready, to be run again and again.
struct op_case {
  std::string op;     // "matmul"
  std::string type;   // of weights or cache, "f32" where there is neither
  std::string layout; // "rows" or "panels"; empty for what has no weights
  std::string shape;  // "layer", "context 4096"
  std::string mode = "strict"; // or "fast": of determinism, which a GPU has
  std::int64_t m = 0;          // rows of activations
  double bytes = 0;            // that one run must fetch from memory
  double operations = 0;       // of one run, a multiply-add being two
  peak_kind peak = peak_kind::none; // what computes them
  std::function<void()> run;
};

} // namespace sluice::bench
