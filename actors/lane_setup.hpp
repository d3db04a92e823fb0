// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "actors/gateway.hpp"
#include "actors/kv_page_manager.hpp"
#include "actors/policy/admission.hpp"
#include "actors/policy/lane_schedule.hpp"
#include "actors/policy/preemption.hpp"
#include "config/config.hpp"
#include "messages/limits.hpp"
#include "model/engine.hpp"
#include "model/prepare.hpp"

namespace sluice::actors {

/// A model on a device, ready to be given to the actors.
struct lane_setup {
  std::shared_ptr<sluice::engine> device; ///< the executor's, from its start
  std::uint32_t lane = 0;
  std::string family; ///< of the architecture: "llama", "qwen2"
  lane_profile profile;
  lane_facts facts;
};

/// Loads the configured model and puts it on the configured device. The model
/// stays in this machine's memory: a GPU that is lost gets its weights from
/// there again, without reading and laying out files anew.
/// @param wrap  applied to the device each time that it is made; may be empty.
/// @throws model_error, memory_error, contract_violation: one line with the
///         remedy.
lane_setup load_lane(const config::config& configuration,
                     const load_options& options, device_wrapper wrap = {});

/// The configuration as the parts of the daemon want it.
policy::lane_capacity capacity_of(const config::config& configuration,
                                  const lane_facts& facts);
policy::lane_limits limits_of(const config::config& configuration,
                              const lane_facts& facts);

/// When its sequences give way, and how.
policy::preemption_rules preemption_of(const lane_facts& facts);

/// How its pages are kept, with a new secret.
kv_page_manager_config pages_of(const config::config& configuration,
                                const lane_setup& lane);

messages::frame_limits frame_limits_of(const config::config& configuration);
messages::ModelInfoT info_of(const lane_setup& setup);

} // namespace sluice::actors
