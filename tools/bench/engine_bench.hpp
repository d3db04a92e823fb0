// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tools/bench/engine_driver.hpp"
#include "tools/bench/measure.hpp"

namespace sluice::bench {

/// Times the engine itself: no actors, no sockets, plans made here.
class engine_bench {
public:
  /// Loads the model.
  /// @throws model_error, contract_violation.
  explicit engine_bench(const plan& what, const progress_fn& progress = {});

  machine facts() const { return driver_.facts(); }

  /// One prompt in one step; fewer tokens if the context is shorter.
  prompt_speed prompt(std::uint32_t tokens);

  /// Decode steps of a batch, after a short prompt each.
  decode_speed decode(std::uint32_t batch);

private:
  plan what_;
  engine_driver driver_;
};

} // namespace sluice::bench
