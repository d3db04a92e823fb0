// SPDX-License-Identifier: Apache-2.0
// Logits of small models of every family against those that PyTorch computed.
#include "tests/model/engine/golden_logits.hpp"

#include "kernels/select.hpp"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>

using namespace sluice;
using namespace sluice::test;

namespace {

constexpr double tolerance = 1e-4; // of the largest logit

} // namespace

BOOST_AUTO_TEST_SUITE(golden_logits)

BOOST_DATA_TEST_CASE(they_agree_with_pytorch,
                     boost::unit_test::data::make(golden_models), model) {
  const golden_file golden{golden_folder / (model + ".logits")};
  const auto loaded = load_model(golden_folder / model);
  BOOST_TEST(loaded->text == nullptr);
  for (const auto isa : available_instruction_sets()) {
    engine device{{.isa = isa}};
    device.add_lane(loaded, {.kv_pages = 4, .kv_type = dtype::f32});
    for (const auto chunk : {golden.tokens.size(), std::size_t{1}}) {
      const auto logits = computed_logits(device, golden, chunk);
      const auto relative =
          largest_difference(logits, golden.logits) / golden.largest();
      BOOST_TEST_MESSAGE(model << ", " << name(isa) << ", " << chunk
                               << " tokens a step: largest difference "
                               << relative << " of the largest logit");
      BOOST_TEST(relative <= tolerance);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
