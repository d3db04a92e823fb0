// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/compute_device.hpp"
#include "tests/model/engine/tiny_model.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace sluice::test {

/// Where sequences run. A run alone and its likeness among others take devices
/// of their own; that of the others may have more threads.
struct contract_setting {
  std::function<std::unique_ptr<compute_device>()> alone;
  std::function<std::unique_ptr<compute_device>()> together;
  std::uint32_t page_tokens = 16;
  dtype kv_type = dtype::f16;
};

/// Contract 1: runs nine sequences alone, then for each seed side by side, each
/// step cut at random, and expects the same bytes.
void check_contract(const tiny_options& options, const contract_setting& where,
                    const std::vector<std::uint32_t>& seeds);

} // namespace sluice::test
