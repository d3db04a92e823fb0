// SPDX-License-Identifier: Apache-2.0
// Contract 1 on a GPU.
#include "model/cuda/cuda_device.hpp"
#include "tests/model/engine/contract_journey.hpp"

#include <boost/test/unit_test.hpp>

using namespace sluice;
using namespace sluice::test;

namespace {

contract_setting on_gpu(std::uint32_t page_tokens, dtype kv_type) {
  const auto maker = [](bool graphs) {
    return [graphs] {
      return std::make_unique<cuda_device>(cuda_options{.graphs = graphs});
    };
  };
  return {maker(false), maker(true), page_tokens, kv_type};
}

} // namespace

BOOST_AUTO_TEST_SUITE(cuda_contract)

BOOST_AUTO_TEST_CASE(it_holds_for_every_cache_type_and_page_size) {
  check_contract({}, on_gpu(16, dtype::f16), {1});
  check_contract({}, on_gpu(8, dtype::bf16), {2});
  check_contract({.head_dim = 32}, on_gpu(32, dtype::i8), {3});
  check_contract({.head_dim = 32}, on_gpu(16, dtype::f8_e4m3), {6});
}

BOOST_AUTO_TEST_CASE(it_holds_for_every_weight_type) {
  for (const auto type : {dtype::f16, dtype::q8_0, dtype::q4_0, dtype::fp8})
    check_contract({.type = type}, on_gpu(16, dtype::f16), {4});
}

BOOST_AUTO_TEST_CASE(it_holds_with_a_sliding_window_and_biases) {
  check_contract({.sliding_window = 11, .attention_bias = true},
                 on_gpu(16, dtype::f16), {5});
}

BOOST_AUTO_TEST_SUITE_END()
