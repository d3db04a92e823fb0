// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/emulation/block.hpp"
#include "tests/kernels/cuda/choice_fixture.hpp"
#include "tests/kernels/cuda/row_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <vector>

using namespace sluice;
using namespace sluice::test;
using cuda::emulation::turns;

BOOST_AUTO_TEST_SUITE(sampling_in_every_order)

BOOST_AUTO_TEST_CASE(choices_are_the_same_bits) {
  cuda::stream work;
  std::vector<choice_case> rows;
  for (const auto& params :
       {sampling_params{}, sampling_params{.temperature = 0},
        sampling_params{.top_k = 30, .top_p = 0.9f},
        sampling_params{.top_p = 0.8f, .min_p = 0.1f}}) {
    choice_case row;
    row.logits = uniform_floats(4500, 4, 5);
    row.params = params;
    row.counts = {{7, 2}, {8, 0}};
    row.params.repetition_penalty = 1.1f;
    row.bias = {{5, 3.0f}, {4400, 1.0f}, {5, 0.25f}};
    row.want_logprobs = true;
    row.top = 4;
    rows.push_back(row);
    row.enters = 4321;
    rows.push_back(row);
    row.given = 5;
    rows.push_back(row);
  }
  std::vector<std::vector<chosen>> all;
  for (const auto order : {turns::forward, turns::backward, turns::shuffled}) {
    cuda::emulation::take_turns(order);
    all.push_back(choose_on_device(work, rows));
  }
  cuda::emulation::take_turns(turns::forward);
  for (std::size_t r = 0; r < rows.size(); ++r)
    BOOST_TEST(
        (same_bits(all[0][r], all[1][r]) && same_bits(all[0][r], all[2][r])));
}

BOOST_AUTO_TEST_SUITE_END()
