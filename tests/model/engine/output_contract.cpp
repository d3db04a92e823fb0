// SPDX-License-Identifier: Apache-2.0
// Contract 1: a sequence's logits and tokens are the same bytes however its
// steps were cut, whatever ran beside it, and for every number of threads.
#include "tests/model/engine/contract_journey.hpp"

#include "kernels/select.hpp"
#include "model/cpu_device.hpp"

#include <boost/test/unit_test.hpp>

using namespace sluice;
using namespace sluice::test;

namespace {

/// A CPU, and the shape of the cache.
struct setting {
  instruction_set isa = instruction_set::reference;
  int threads = 1;
  std::uint32_t page_tokens = 16;
  dtype kv_type = dtype::f16;

  contract_setting on_cpus() const {
    const auto maker = [isa = isa](int threads) {
      return [=] {
        return std::make_unique<cpu_device>(
            engine_options{.threads = threads, .isa = isa});
      };
    };
    return {maker(1), maker(threads), page_tokens, kv_type};
  }
};

void check(const tiny_options& options, const setting& where,
           const std::vector<std::uint32_t>& seeds) {
  check_contract(options, where.on_cpus(), seeds);
}

} // namespace

BOOST_AUTO_TEST_SUITE(output_contract)

BOOST_AUTO_TEST_CASE(it_holds_on_every_instruction_set) {
  for (const auto isa : available_instruction_sets())
    for (const auto threads : {1, 2})
      check({}, {.isa = isa, .threads = threads}, {1, 2, 3});
}

BOOST_AUTO_TEST_CASE(it_holds_for_every_page_size) {
  for (const auto page_tokens : {8u, 32u, 128u})
    check({}, {.isa = detect(), .threads = 2, .page_tokens = page_tokens},
          {4, 5});
}

BOOST_AUTO_TEST_CASE(it_holds_for_every_cache_type) {
  for (const auto type : {dtype::f32, dtype::bf16, dtype::i8, dtype::f8_e4m3})
    check({}, {.isa = detect(), .kv_type = type}, {6, 7});
}

BOOST_AUTO_TEST_CASE(it_holds_for_every_weight_type) {
  for (const auto type : {dtype::f16, dtype::bf16, dtype::q8_0, dtype::q4_0})
    check({.type = type}, {.isa = detect(), .threads = 2}, {8, 9});
}

BOOST_AUTO_TEST_CASE(it_holds_with_a_sliding_window_and_biases) {
  check({.sliding_window = 11, .attention_bias = true},
        {.isa = detect(), .threads = 2}, {10, 11, 12});
}

BOOST_AUTO_TEST_SUITE_END()
