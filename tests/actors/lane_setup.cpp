// SPDX-License-Identifier: Apache-2.0
#include "actors/lane_setup.hpp"

#include <boost/test/unit_test.hpp>

#include <optional>
#include <utility>

using namespace sluice;

namespace {

/// What a device was asked for.
struct asked_for {
  lane_options when_measured, when_made;
};

class asked_device : public compute_device {
public:
  asked_device(std::unique_ptr<compute_device> inner, asked_for& asked)
      : inner_{std::move(inner)}, asked_{asked} {}

  std::string name() const override { return inner_->name(); }
  const weight_packing* packing() const override { return inner_->packing(); }
  std::optional<std::uint64_t>
  kv_bytes_beside(const loaded_model& /*model*/,
                  const lane_options& options) const override {
    asked_.when_measured = options;
    return 1 << 20;
  }
  std::unique_ptr<lane_device>
  make_lane(std::shared_ptr<const loaded_model> model,
            const lane_options& options, const progress_fn& progress) override {
    asked_.when_made = options;
    return inner_->make_lane(std::move(model), options, progress);
  }

private:
  std::unique_ptr<compute_device> inner_;
  asked_for& asked_;
};

} // namespace

BOOST_AUTO_TEST_SUITE(lane_setup)

// Else what the device said fits does not.
BOOST_AUTO_TEST_CASE(a_device_says_what_fits_beside_all_that_a_lane_wants) {
  config::config configuration;
  configuration.model.path =
      SLUICE_SOURCE_DIR "/tests/models/pebble-draft-q8_0.gguf";
  configuration.executor.device = "cpu";
  configuration.memory.swap_bytes.count = 1 << 20;
  asked_for asked;
  const auto setup = actors::load_lane(
      configuration, {}, [&](std::unique_ptr<compute_device> inner) {
        return std::make_unique<asked_device>(std::move(inner), asked);
      });
  BOOST_TEST(asked.when_made.host_slots > 0u);
  BOOST_TEST(asked.when_made.kv_pages > 0u);
  const auto& [measured, made] = asked;
  BOOST_TEST(measured.host_slots == made.host_slots);
  BOOST_TEST(measured.max_step_tokens == made.max_step_tokens);
  BOOST_TEST(measured.page_tokens == made.page_tokens);
  BOOST_TEST((measured.kv_type == made.kv_type));
}

BOOST_AUTO_TEST_SUITE_END()
