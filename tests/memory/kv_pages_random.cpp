// SPDX-License-Identifier: Apache-2.0
// Random operations on kv_pages, with every invariant checked after each, and
// an executor on paper that sees whether anybody reads what it did not write.
// 2,000 operations for each of 10 seeds; with SLUICE_LONG_TESTS=1 in the
// environment 10,000 operations for each of 100 seeds.
#include "tests/memory/paper_lane.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <stdexcept>

using namespace sluice;
using sluice::test::paper_lane;

namespace {

struct extent {
  int operations = 2'000;
  std::uint32_t seeds = 10;
};

extent asked_for() {
  const auto* asked = std::getenv("SLUICE_LONG_TESTS");
  return asked && *asked == '1' ? extent{10'000, 100} : extent{};
}

void run(const kv_pages_config& config, std::uint32_t seed, int operations,
         kv_report& sum) {
  paper_lane lane{config, seed};
  int done = 0;
  try {
    for (; done < operations; ++done) {
      lane.act();
      lane.verify();
    }
    lane.finish();
  } catch (const std::logic_error& wrong) {
    BOOST_FAIL("operation " << done << " does not hold: " << wrong.what());
  }
  const auto report = lane.pages().report();
  sum.hits += report.hits;
  sum.copies += report.copies;
  sum.evictions += report.evictions;
  sum.swapped_out_pages += report.swapped_out_pages;
  sum.preemptions += report.preemptions;
  sum.refused_pins += report.refused_pins;
  sum.hash_collisions += report.hash_collisions;
}

kv_report run_all(const kv_pages_config& config) {
  const auto [operations, seeds] = asked_for();
  kv_report sum;
  for (std::uint32_t seed = 1; seed <= seeds; ++seed) {
    BOOST_TEST_CONTEXT("seed " << seed) {
      run(config, seed, operations, sum);
    }
  }
  BOOST_TEST_MESSAGE(seeds << " x " << operations << " operations: " << sum.hits
                           << " hits, " << sum.copies << " copies, "
                           << sum.evictions << " evictions, "
                           << sum.swapped_out_pages << " pages swapped out, "
                           << sum.preemptions << " preemptions");
  return sum;
}

/// Three bits of hash: most blocks collide.
block_hash coarse_hash(std::uint64_t seed, const block_hash& parent,
                       std::span<const std::uint32_t> tokens) {
  return {0, hash_block(seed, parent, tokens).low & 7};
}

} // namespace

BOOST_AUTO_TEST_SUITE(kv_pages_random_test)

BOOST_AUTO_TEST_CASE(nobody_reads_what_it_did_not_write) {
  const auto sum = run_all({.pool_pages = 24,
                            .page_tokens = 4,
                            .host_slots = 8,
                            .most_pinned_pages = 4,
                            .hash_seed = 5});
  // Every path was taken.
  BOOST_TEST(sum.hits > 0u);
  BOOST_TEST(sum.copies > 0u);
  BOOST_TEST(sum.evictions > 0u);
  BOOST_TEST(sum.swapped_out_pages > 0u);
  BOOST_TEST(sum.preemptions > 0u);
  BOOST_TEST(sum.refused_pins > 0u);
}

BOOST_AUTO_TEST_CASE(nor_when_hashes_collide) {
  const auto sum = run_all({.pool_pages = 24,
                            .page_tokens = 2,
                            .host_slots = 8,
                            .most_pinned_pages = 4,
                            .hash_seed = 5,
                            .hash = &coarse_hash});
  BOOST_TEST(sum.hash_collisions > 0u);
}

BOOST_AUTO_TEST_CASE(nor_in_tiny_pools) {
  for (const std::uint32_t pool : {1u, 2u, 5u}) {
    BOOST_TEST_CONTEXT("a pool of " << pool << " pages") {
      const auto sum = run_all({.pool_pages = pool,
                                .page_tokens = 3,
                                .host_slots = 2,
                                .most_pinned_pages = pool});
      BOOST_TEST(sum.hits > 0u);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
