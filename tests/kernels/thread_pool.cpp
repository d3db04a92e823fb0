// SPDX-License-Identifier: Apache-2.0
#include "kernels/thread_pool.hpp"

#include "kernels/check.hpp"

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <numeric>
#include <thread>
#include <vector>

namespace sluice::test {

BOOST_AUTO_TEST_SUITE(pool_of_threads)

BOOST_AUTO_TEST_CASE(every_tile_runs_once) {
  for (const int threads : {1, 2, 3, 7}) {
    thread_pool pool(threads);
    for (const std::int64_t tiles : {0, 1, 2, 3, 100, 1000}) {
      std::vector<int> runs(static_cast<std::size_t>(tiles));
      pool.parallel_for(tiles, [&](std::int64_t tile) {
        ++runs[static_cast<std::size_t>(tile)];
      });
      BOOST_TEST(runs == std::vector<int>(runs.size(), 1));
    }
  }
}

BOOST_AUTO_TEST_CASE(many_short_jobs_never_mix) {
  // Late workers of one job meet the next one; each must see its own tiles.
  thread_pool pool({.threads = 4, .spin_pauses = 1});
  for (std::int64_t job = 0; job < 5000; ++job) {
    const std::int64_t tiles = 2 + job % 5;
    std::int64_t sums[8] = {};
    pool.parallel_for(tiles,
                      [&](std::int64_t tile) { sums[tile] += job + tile; });
    std::int64_t expected = 0;
    for (std::int64_t tile = 0; tile < tiles; ++tile) {
      expected += job + tile;
    }
    BOOST_REQUIRE(std::accumulate(sums, sums + 8, std::int64_t{0}) == expected);
  }
}

BOOST_AUTO_TEST_CASE(workers_take_part) {
  // Two tiles that wait for each other end only if two threads run them.
  thread_pool pool(2);
  std::atomic<int> inside{0};
  pool.parallel_for(2, [&](std::int64_t) {
    ++inside;
    while (inside < 2) {
      std::this_thread::yield();
    }
  });
  BOOST_TEST(inside == 2);
}

BOOST_AUTO_TEST_CASE(sleeping_and_pinned_workers_wake) {
  // In a thread of its own, whose binding ends with it.
  int jobs = 0;
  std::thread([&] {
    thread_pool pool({.threads = 2, .pin = true, .spin_pauses = 0});
    pool.pin_caller();
    for (; jobs < 200; ++jobs) {
      std::atomic<int> done{0};
      pool.parallel_for(3, [&](std::int64_t) { ++done; });
      if (done != 3) {
        return;
      }
    }
  }).join();
  BOOST_TEST(jobs == 200);
}

BOOST_AUTO_TEST_CASE(bad_counts_are_refused) {
  BOOST_CHECK_THROW(thread_pool(0), contract_violation);
  BOOST_CHECK_THROW(thread_pool(5000), contract_violation);
  thread_pool pool(1);
  BOOST_TEST(pool.threads() == 1);
  BOOST_CHECK_THROW(pool.parallel_for(-1, [](std::int64_t) {}),
                    contract_violation);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace sluice::test
