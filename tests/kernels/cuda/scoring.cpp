// SPDX-License-Identifier: Apache-2.0
#include "kernels/check.hpp"
#include "tests/kernels/cuda/choice_fixture.hpp"
#include "tests/kernels/cuda/row_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <vector>

using namespace sluice;
using namespace sluice::test;

namespace {

choice_case given(std::vector<float> logits, std::int32_t token,
                  std::int32_t top) {
  choice_case made;
  made.logits = std::move(logits);
  made.given = token;
  made.top = top;
  return made;
}

} // namespace

BOOST_AUTO_TEST_SUITE(cuda_scoring)

BOOST_AUTO_TEST_CASE(scores_are_those_of_the_cpu) {
  cuda::stream work;
  for (const std::size_t vocabulary : {5u, 130u, 4099u}) {
    std::vector<choice_case> rows;
    for (std::uint32_t i = 0; i < 12; ++i)
      rows.push_back(given(uniform_floats(vocabulary, i, 9),
                           static_cast<std::int32_t>(i * 401 % vocabulary),
                           static_cast<std::int32_t>(i % 8)));
    rows[3].params.temperature = 0; // of no matter
    rows[4].params.top_k = 1;
    rows[5].bias = {{1, -infinity}};
    rows[6].logits.back() = not_a_number;
    rows[7].logits.assign(vocabulary, 2.5f); // ties
    rows[8].logits.assign(vocabulary, -0.0f);
    rows[8].logits[2] = 0.0f;
    rows[9].given.reset(); // a drawn one among them
    check_like_host(work, rows);
  }
}

BOOST_AUTO_TEST_CASE(alternatives_may_be_more_than_a_run_holds) {
  cuda::stream work;
  auto logits = uniform_floats(600, 1);
  for (std::size_t i = 128; i < 256; ++i)
    logits[i] += 5; // all the largest in one run
  check_like_host(work, {given(logits, 200, 140), given(logits, 0, 600),
                         given(std::vector<float>(600, 1.0f), 7, 300)});
}

BOOST_AUTO_TEST_CASE(a_given_token_outside_the_vocabulary_is_skipped) {
  cuda::stream work;
  const auto found =
      choose_on_device(work, {given(uniform_floats(40, 1), 40, 2)});
  BOOST_TEST(found[0].result.token == -1);
  BOOST_TEST(found[0].result.top_count == 0);
}

BOOST_AUTO_TEST_CASE(counts_are_kept_on_the_device) {
  cuda::stream work;
  constexpr std::int64_t vocabulary = 10; // rows of 12
  const device_array<std::uint32_t> counts{work,
                                           std::vector<std::uint32_t>(24, 0)};
  const device_array<cuda::count_change> changes{
      work, std::vector<cuda::count_change>{{0, 3, 0},
                                            {0, 3, 1},
                                            {1, 3, 2},
                                            {1, 9, 5},
                                            {1, 9, -4},
                                            {-1, 2, 1},
                                            {1, 10, 1},
                                            {1, -1, 1}}};
  cuda::count_tokens({.counts = counts.data(),
                      .vocabulary = vocabulary,
                      .changes = changes.data(),
                      .count = 8},
                     work);
  std::vector<std::uint32_t> wanted(24, 0);
  wanted[3] = cuda::count_in_prompt | 1;
  wanted[12 + 3] = 2;
  wanted[12 + 9] = 1;
  BOOST_TEST(counts.values() == wanted, boost::test_tools::per_element());
  BOOST_CHECK_THROW(cuda::count_tokens({.vocabulary = 10, .count = 1}, work),
                    contract_violation);
}

// A loop of decodes: what a step draws goes into the next one, where it counts,
// the first token as one of the prompt.
BOOST_AUTO_TEST_CASE(a_token_enters_the_counts_where_it_goes_in) {
  cuda::stream work;
  const device_array<std::int32_t> ids{work, std::vector<std::int32_t>{9, 1}};
  const device_array<float> logits{work, std::vector<float>{0, 3, 1, 2, 3, 1}};
  const device_array<std::uint32_t> counts{work,
                                           std::vector<std::uint32_t>(4, 0)};
  const cuda::choice_settings own{
      .params = {.temperature = 0, .presence_penalty = 1.5f},
      .counts = 0,
      .prompt_tokens = 4};
  const device_array<cuda::choice_settings> settings{work, std::vector{own}};
  const device_array<cuda::choice_row> row{work, std::size_t{1}};
  const device_array<cuda::choice> out{work, std::size_t{1}};
  const device_array<std::byte> workspace{work,
                                          cuda::choice_workspace_bytes(1, 4)};
  const cuda::choice_args args{.logits = {logits.data(), 1, 4, 4},
                               .rows = row.data(),
                               .settings = settings.data(),
                               .counts = counts.data(),
                               .ids = ids.data(),
                               .out = out.data(),
                               .workspace = workspace.data(),
                               .workspace_bytes = workspace.size()};
  std::vector<std::int32_t> drawn;
  for (std::int32_t position = 4; position < 8; ++position) {
    const cuda::choice_row now{
        .settings = 0, .position = position, .enters = 1};
    work.copy(row.data(), &now, sizeof now);
    cuda::choose_tokens(args, work);
    drawn.push_back(out.values()[0].token);
    work.copy(ids.data() + 1, &drawn.back(), sizeof drawn.back());
    work.wait();
  }
  BOOST_TEST(drawn == (std::vector<std::int32_t>{1, 3, 1, 1}),
             boost::test_tools::per_element());
  BOOST_TEST(counts.values() == (std::vector<std::uint32_t>{
                                    0, cuda::count_in_prompt | 2, 0, 1}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
