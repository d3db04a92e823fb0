// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/compute_device.hpp"

#include <functional>
#include <memory>

namespace sluice {

/// Where an engine's device comes from: at first, and again when it was lost.
struct device_source {
  std::function<std::unique_ptr<compute_device>()> make;
  /// Clears away what a lost device left behind, which must be gone by then;
  /// empty: nothing is left.
  std::function<void()> reset = {};
};

/// Puts something before a device.
using device_wrapper = std::function<std::unique_ptr<compute_device>(
    std::unique_ptr<compute_device>)>;

} // namespace sluice
