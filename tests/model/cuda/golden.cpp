// SPDX-License-Identifier: Apache-2.0
// Logits of small models of every family, by the CUDA executor, against those
// that PyTorch computed.
#include "model/cuda/cuda_device.hpp"
#include "tests/model/engine/golden_logits.hpp"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>

using namespace sluice;
using namespace sluice::test;

namespace {

// Of the largest logit. x and weights are rounded to bf16, 2^-9 of each.
constexpr double tolerance = 2e-2;

} // namespace

BOOST_AUTO_TEST_SUITE(cuda_golden)

BOOST_DATA_TEST_CASE(they_agree_with_pytorch,
                     boost::unit_test::data::make(golden_models), model) {
  const golden_file golden{golden_folder / (model + ".logits")};
  const auto loaded = load_model(golden_folder / model);
  engine device{std::make_unique<cuda_device>(cuda_options{})};
  device.add_lane(loaded, {.kv_pages = 4, .kv_type = dtype::f16});
  std::vector<float> first;
  for (const auto chunk : {golden.tokens.size(), std::size_t{1}}) {
    const auto logits = computed_logits(device, golden, chunk);
    const auto relative =
        largest_difference(logits, golden.logits) / golden.largest();
    BOOST_TEST_MESSAGE(model << ", " << chunk
                             << " tokens a step: largest difference "
                             << relative << " of the largest logit");
    BOOST_TEST(relative <= tolerance);
    if (first.empty())
      first = logits;
    BOOST_TEST(logits == first); // contract 1
  }
}

BOOST_AUTO_TEST_SUITE_END()
