// SPDX-License-Identifier: Apache-2.0
// Logits of small models of every family, by the CUDA executor, against those
// that PyTorch computed.
#include "kernels/select.hpp"
#include "model/cuda/cuda_device.hpp"
#include "tests/model/engine/golden_logits.hpp"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>

using namespace sluice;
using namespace sluice::test;

namespace {

/// Difference from PyTorch's f32 as a part of the largest logit.
double off(const std::vector<float>& logits, const golden_file& golden) {
  return largest_difference(logits, golden.logits) / golden.largest();
}

/// What rounding the weights to bf16, as a GPU's are, costs by itself.
double off_by_weights(const std::filesystem::path& path,
                      const golden_file& golden) {
  engine device{engine_options{.isa = instruction_set::reference}};
  device.add_lane(load_model(path, {.weight_type = dtype::bf16}),
                  {.kv_pages = 4, .kv_type = dtype::f32});
  return off(computed_logits(device, golden, golden.tokens.size()), golden);
}

// x is rounded to bf16, too, before each product.
constexpr double both_roundings = 2;

} // namespace

BOOST_AUTO_TEST_SUITE(cuda_golden)

BOOST_DATA_TEST_CASE(they_agree_with_pytorch,
                     boost::unit_test::data::make(golden_models), model) {
  const golden_file golden{golden_folder / (model + ".logits")};
  const auto loaded = load_model(golden_folder / model);
  engine device{std::make_unique<cuda_device>(cuda_options{})};
  device.add_lane(loaded, {.kv_pages = 4, .kv_type = dtype::f16});
  const auto allowed =
      both_roundings * off_by_weights(golden_folder / model, golden);
  std::vector<float> first;
  for (const auto chunk : {golden.tokens.size(), std::size_t{1}}) {
    const auto logits = computed_logits(device, golden, chunk);
    const auto relative = off(logits, golden);
    BOOST_TEST_MESSAGE(model << ", " << chunk
                             << " tokens a step: largest difference "
                             << relative << " of the largest logit, " << allowed
                             << " allowed");
    BOOST_TEST(relative <= allowed);
    if (first.empty())
      first = logits;
    BOOST_TEST(logits == first); // contract 1
  }
}

BOOST_AUTO_TEST_SUITE_END()
