// SPDX-License-Identifier: Apache-2.0
#include "model/tokenizer/merge_loop.hpp"

#include "tests/model/tokenizer/sample_text.hpp"

#include <boost/test/unit_test.hpp>

namespace sluice::test {

namespace {

using symbols = std::vector<std::uint32_t>;

/// The definition, in quadratic time.
symbols merged_by_definition(symbols text, const merge_table& table) {
  for (;;) {
    const merge* best = nullptr;
    std::size_t where = 0;
    for (std::size_t at = 0; at + 1 < text.size(); ++at) {
      const auto* found = table.find(text[at], text[at + 1]);
      if (found && (!best || found->rank < best->rank)) {
        best = found;
        where = at;
      }
    }
    if (!best)
      return text;
    text[where] = best->result;
    text.erase(text.begin() + static_cast<std::ptrdiff_t>(where) + 1);
  }
}

/// A table of random merges; each makes a new symbol, as training does, but
/// ranks come in any order and repeat.
merge_table random_table(sample_text& random) {
  merge_table table;
  for (std::uint32_t fresh = 4; fresh < 40; ++fresh)
    table.set(random.below(fresh), random.below(fresh),
              {random.below(20), fresh});
  return table;
}

} // namespace

BOOST_AUTO_TEST_SUITE(tokenizer_merge_loop)

BOOST_AUTO_TEST_CASE(equals_the_definition_at_every_length) {
  sample_text random(11);
  merge_loop loop;
  for (int round = 0; round < 3000; ++round) {
    const auto table = random_table(random);
    symbols text(random.below(120));
    for (auto& symbol : text)
      symbol = random.below(4);
    const auto expected = merged_by_definition(text, table);
    loop.run(text, table);
    BOOST_TEST(text == expected, boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_CASE(table_keeps_the_last_of_equal_pairs) {
  merge_table table;
  for (std::uint32_t at = 0; at < 1000; ++at)
    table.set(at, at + 1, {at, at + 2});
  table.set(7, 8, {1, 2});
  BOOST_TEST(table.size() == 1000u);
  BOOST_TEST(table.find(7, 8)->result == 2u);
  BOOST_TEST(table.find(999, 1000)->rank == 999u);
  BOOST_TEST(table.find(8, 7) == nullptr);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace sluice::test
