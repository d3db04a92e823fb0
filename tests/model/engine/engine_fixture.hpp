// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tests/model/engine/plan_driver.hpp"
#include "tests/model/engine/tiny_model.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace sluice::test {

/// An engine with one lane of a tiny model, and a driver for its plans.
struct engine_fixture {
  explicit engine_fixture(
      std::shared_ptr<const loaded_model> model = tiny_model({}))
      : device{{.isa = instruction_set::portable}} {
    device.add_lane(std::move(model), {.kv_pages = 32, .max_step_tokens = 64});
    driver = std::make_unique<plan_driver>(device, 0);
  }

  void join(std::uint64_t key, messages::SamplingT sampling = greedy()) {
    driver->join({.key = key, .prompt = {1, 2, 3}, .sampling = sampling});
  }

  /// Joins and feeds three tokens.
  std::uint32_t begin(std::uint64_t key) {
    join(key);
    driver->add({key, 0, {1, 2, 3}, 2});
    return driver->run().rows.at(0)->tokens.at(0);
  }

  engine device;
  std::unique_ptr<plan_driver> driver;
};

inline bool mentions(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

} // namespace sluice::test
