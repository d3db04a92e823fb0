// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "messages/frame.hpp"
#include "messages/lane_generated.h"
#include "model/compute_device.hpp"
#include "tests/model/engine/tiny_model.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace sluice::test {

/// Plans of one lane, and where they run.
struct plan_script {
  std::shared_ptr<const loaded_model> model;
  lane_options options;
  std::vector<messages::frame<messages::StepPlan>> plans;
};

struct script_wishes {
  std::uint32_t seed = 1;
  std::uint32_t plans = 40;
  std::uint32_t together = ~0u; // rows of a plan, at most
  bool penalties = false;       // most sequences have some
};

/// Random plans: prompts in chunks, decodes that go on with the token of the
/// plan before, drafts, scores, sequences that are rolled back and go on with
/// other tokens, that leave at any moment and come again, pages that are
/// swapped out, written over and swapped back, rows that cannot run. No plan
/// needs to know what the one before gave.
plan_script random_script(std::shared_ptr<const loaded_model> model,
                          const script_wishes& wishes);

using device_maker = std::function<std::unique_ptr<compute_device>()>;

/// What each plan gave, without the times: each finished before the next one is
/// started, or the next one started first.
std::vector<messages::StepResultT> run_one_by_one(const plan_script& script,
                                                  const device_maker& device);
std::vector<messages::StepResultT> run_pipelined(const plan_script& script,
                                                 const device_maker& device);

/// Byte for byte.
void expect_same(const std::vector<messages::StepResultT>& expected,
                 const std::vector<messages::StepResultT>& found);

} // namespace sluice::test
