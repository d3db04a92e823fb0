// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/test/unit_test.hpp>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "actors/batcher.hpp"
#include "actors/executor.hpp"
#include "actors/kv_page_manager.hpp"
#include "actors/supervisor.hpp"
#include "model/engine.hpp"
#include "tests/support/actor_fixture.hpp"
#include "tests/support/lossy_device.hpp"
#include "tests/support/mock_lane.hpp"
#include "tests/support/printing.hpp"

namespace sluice::tests {

/// What a lane of these tests has.
struct restart_shape {
  std::uint32_t pool_pages = 200;
  std::uint32_t host_slots = 0;
  bool prefix_cache = true;
  std::uint32_t pipeline_depth = 2;
};

/// What a client has seen of a stream: tokens, text, log-probabilities and
/// scores of each sequence, and the ends; cut into chunks in any way.
using seen_streams = std::map<request_number, std::string>;

/// A supervisor, an executor with a real engine, a batcher and its page
/// manager; the rest writes down what it is told. The device is lost as
/// `script` says.
struct restart_fixture : actor_fixture {
  explicit restart_fixture(const restart_shape& shape = {},
                           loss_script script = {});

  void admit(messages::WorkT work);

  /// Until nobody has anything to do, for at most so many seconds.
  void run_out(int seconds = 20);

  /// Of those that have ended well.
  seen_streams streams() const;
  std::vector<request_number> failed() const;
  health_report health() {
    return ask<health_report>(head, report_atom::value);
  }
  double counted(const char* name) const;
  ledger_report ledger() {
    return ask<ledger_report>(pages, report_atom::value);
  }

  loss_script_ptr losses;
  heard_ptr log = std::make_shared<heard>();
  std::optional<end_of_life> ended;
  supervisor_actor head;
  kv_page_manager_actor pages;
  executor_actor device;
  batcher_actor lane;
};

} // namespace sluice::tests
