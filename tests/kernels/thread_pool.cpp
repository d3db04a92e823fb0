// SPDX-License-Identifier: Apache-2.0
#include "kernels/thread_pool.hpp"

#include "kernels/check.hpp"
#include "kernels/cpu_affinity.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <numeric>
#include <set>
#include <thread>
#include <vector>

namespace sluice::test {

using std::chrono::microseconds;

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
  thread_pool pool({.threads = 4, .spin = microseconds(1)});
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

BOOST_AUTO_TEST_CASE(sleeping_workers_wake_and_a_sleeping_caller_too) {
  using namespace std::chrono_literals;
  for (const auto spin : {0us, 1us, 30us}) {
    thread_pool pool({.threads = 2, .spin = spin});
    for (int job = 0; job < 200; ++job) {
      // Either thread may be the one that the other waits for.
      std::atomic<int> done{0};
      pool.parallel_for(2, [&](std::int64_t tile) {
        if (tile == job % 2) {
          std::this_thread::sleep_for(100us);
        }
        ++done;
      });
      BOOST_REQUIRE(done == 2);
      if (job % 8 == 0) {
        std::this_thread::sleep_for(200us);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_thread_takes_its_share_in_order) {
  thread_pool pool(3);
  for (int job = 0; job < 100; ++job) {
    std::mutex mutex;
    std::map<std::thread::id, std::vector<std::int64_t>> tiles;
    pool.parallel_for(90, [&](std::int64_t tile) {
      const std::lock_guard lock(mutex);
      tiles[std::this_thread::get_id()].push_back(tile);
    });
    // The caller starts with tile 0 and never goes back within its share.
    const auto& own = tiles[std::this_thread::get_id()];
    std::int64_t last = -1;
    for (const std::int64_t tile : own) {
      if (tile < 30) {
        BOOST_REQUIRE(tile > last);
        last = tile;
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(the_idle_take_over_what_the_busy_have_left) {
  // One thread stays in its first tile until all others are done.
  thread_pool pool(2);
  std::atomic<int> others{0};
  pool.parallel_for(40, [&](std::int64_t tile) {
    if (tile != 0) {
      ++others;
      return;
    }
    while (others < 39) {
      std::this_thread::yield();
    }
  });
  BOOST_TEST(others == 39);
}

BOOST_AUTO_TEST_CASE(pinned_threads_have_a_cpu_each) {
  const auto machine = allowed_cpus();
  const auto threads =
      static_cast<int>(std::min<std::size_t>(2, machine.size()));
  std::set<std::vector<int>> bound;
  std::vector<int> after;
  std::thread([&] { // whose binding ends with it
    thread_pool pool({.threads = threads, .pin = true});
    pool.pin_caller();
    std::mutex mutex;
    std::atomic<int> inside{0};
    pool.parallel_for(threads, [&](std::int64_t) {
      for (++inside; inside < threads;) {
        std::this_thread::yield();
      }
      const std::lock_guard lock(mutex);
      bound.insert(allowed_cpus());
    });
    pool.unpin_caller();
    after = allowed_cpus();
  })
      .join();
  BOOST_TEST(bound.size() == static_cast<std::size_t>(threads));
  for (const auto& cpus : bound) {
    BOOST_TEST(cpus.size() == 1u);
  }
  BOOST_TEST((after == machine));
}

BOOST_AUTO_TEST_CASE(too_many_threads_are_not_pinned) {
  const auto machine = allowed_cpus();
  const auto threads = static_cast<int>(machine.size()) + 1;
  thread_pool pool({.threads = threads, .pin = true});
  pool.pin_caller();
  std::mutex mutex;
  std::set<std::vector<int>> seen;
  pool.parallel_for(1000, [&](std::int64_t) {
    const std::lock_guard lock(mutex);
    seen.insert(allowed_cpus());
  });
  BOOST_TEST((seen == std::set<std::vector<int>>{machine}));
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
