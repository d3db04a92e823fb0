// SPDX-License-Identifier: Apache-2.0
#include "model/seen_tokens.hpp"

#include "kernels/check.hpp"

#include <boost/test/unit_test.hpp>

#include <map>
#include <random>

using namespace sluice;

namespace {

std::map<std::int32_t, std::int32_t> as_map(const seen_tokens& seen) {
  std::map<std::int32_t, std::int32_t> result;
  for (const auto& [token, generated] : seen.list())
    result[token] = generated;
  BOOST_TEST(result.size() == seen.list().size());
  return result;
}

} // namespace

BOOST_AUTO_TEST_SUITE(seen_tokens_test)

BOOST_AUTO_TEST_CASE(prompt_and_generated_tokens_are_told_apart) {
  seen_tokens seen{40};
  seen.add(5, false);
  seen.add(5, true);
  seen.add(6, true);
  seen.add(6, true);
  seen.add(7, false);
  BOOST_TEST((as_map(seen) ==
              std::map<std::int32_t, std::int32_t>{{5, 1}, {6, 2}, {7, 0}}));
}

BOOST_AUTO_TEST_CASE(a_token_of_the_prompt_stays_seen_without_its_copies) {
  seen_tokens seen{40};
  seen.add(5, false);
  seen.add(5, true);
  seen.remove(5, true);
  BOOST_TEST((as_map(seen) == std::map<std::int32_t, std::int32_t>{{5, 0}}));
  seen.remove(5, false);
  BOOST_TEST(seen.list().empty());
  BOOST_CHECK_THROW(seen.remove(5, false), contract_violation);
}

BOOST_AUTO_TEST_CASE(going_back_undoes_going_forward) {
  std::mt19937 random{3};
  seen_tokens seen{40};
  std::vector<std::pair<std::int32_t, bool>> added;
  std::vector<std::map<std::int32_t, std::int32_t>> states;
  for (int i = 0; i < 300; ++i) {
    states.push_back(as_map(seen));
    added.emplace_back(random() % 40, random() % 2 == 0);
    seen.add(added.back().first, added.back().second);
  }
  while (!added.empty()) {
    seen.remove(added.back().first, added.back().second);
    added.pop_back();
    BOOST_REQUIRE((as_map(seen) == states.back()));
    states.pop_back();
  }
}

BOOST_AUTO_TEST_CASE(unknown_tokens_are_refused) {
  seen_tokens seen{40};
  BOOST_CHECK_THROW(seen.add(40, true), contract_violation);
  BOOST_CHECK_THROW(seen.add(-1, true), contract_violation);
}

BOOST_AUTO_TEST_SUITE_END()
