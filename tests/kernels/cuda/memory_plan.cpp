// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/memory_plan.hpp"

#include <boost/test/unit_test.hpp>

#include <limits>
#include <vector>

using namespace sluice::cuda;
using of = memory_shortage::of;

namespace {

constexpr std::uint64_t mib = 1u << 20;
constexpr std::uint64_t gib = 1u << 30;
constexpr auto huge = std::numeric_limits<std::uint64_t>::max();

device_facts gpu(std::uint64_t total, std::uint64_t free) {
  return {
      .index = 1, .name = "a GPU", .total_bytes = total, .free_bytes = free};
}

struct fitting {
  const char* what;
  device_facts device;
  memory_wishes wishes;
  std::uint64_t pages;
};

struct refused {
  const char* what;
  device_facts device;
  memory_wishes wishes;
  of expected;
  const char* remedy;
};

const std::vector<fitting>& fitting_cases() {
  static const std::vector<fitting> all{
      {"all that the fraction leaves goes to pages",
       gpu(80 * gib, 80 * gib),
       {.gpu_fraction = 0.5,
        .weight_bytes = 16 * gib,
        .scratch_bytes = 3 * gib,
        .staging_bytes = 1 * gib,
        .page_bytes = 2 * mib},
       10240},
      {"what is free bounds the pool",
       gpu(80 * gib, 30 * gib + memory_kept_free),
       {.gpu_fraction = 0.9, .weight_bytes = 16 * gib, .page_bytes = 2 * mib},
       7168},
      {"as many pages as are wanted",
       gpu(80 * gib, 80 * gib),
       {.weight_bytes = 16 * gib, .page_bytes = 2 * mib, .wanted_pages = 100},
       100},
      {"never fewer than the longest sequence has",
       gpu(80 * gib, 80 * gib),
       {.page_bytes = 2 * mib, .wanted_pages = 100, .least_pages = 128},
       128},
      {"no cache",
       gpu(8 * gib, 8 * gib),
       {.weight_bytes = 1 * gib, .page_bytes = 0},
       0},
      {"page ids have 32 bits",
       gpu(huge / 4, huge / 4),
       {.gpu_fraction = 1, .page_bytes = 256},
       0xffffffffu},
  };
  return all;
}

const std::vector<refused>& refused_cases() {
  static const std::vector<refused> all{
      {"weights past the fraction",
       gpu(80 * gib, 80 * gib),
       {.gpu_fraction = 0.5, .weight_bytes = 41 * gib},
       of::weights,
       "raise memory.gpu_fraction, which is 0.50"},
      {"weights past what is free",
       gpu(80 * gib, 20 * gib),
       {.weight_bytes = 41 * gib},
       of::weights,
       "end other programs"},
      {"nothing is free",
       gpu(80 * gib, 100 * mib),
       {.weight_bytes = 1},
       of::weights,
       "end other programs"},
      {"workspaces",
       gpu(80 * gib, 80 * gib),
       {.gpu_fraction = 0.5,
        .weight_bytes = 39 * gib,
        .scratch_bytes = 2 * gib},
       of::scratch,
       "fewer tokens a step"},
      {"staging",
       gpu(80 * gib, 80 * gib),
       {.gpu_fraction = 0.5,
        .weight_bytes = 39 * gib,
        .staging_bytes = 2 * gib},
       of::scratch,
       "fewer tokens a step"},
      {"the pages that were asked for",
       gpu(80 * gib, 80 * gib),
       {.gpu_fraction = 0.5,
        .weight_bytes = 39 * gib,
        .page_bytes = 2 * mib,
        .wanted_pages = 513},
       of::pages,
       "513 KV pages, of which 512 fit"},
      {"the pages of one sequence",
       gpu(80 * gib, 80 * gib),
       {.gpu_fraction = 0.5,
        .weight_bytes = 39 * gib,
        .page_bytes = 2 * mib,
        .least_pages = 1000},
       of::pages,
       "a shorter context"},
      {"sizes that would wrap",
       gpu(80 * gib, 80 * gib),
       {.weight_bytes = gib, .scratch_bytes = huge},
       of::scratch,
       "GiB"},
      {"pages that would wrap",
       gpu(80 * gib, 80 * gib),
       {.page_bytes = huge / 2, .wanted_pages = 5},
       of::pages,
       "GiB"},
      {"no fraction",
       gpu(80 * gib, 80 * gib),
       {.gpu_fraction = 0},
       of::fraction,
       "above 0, up to 1"},
      {"more than all",
       gpu(80 * gib, 80 * gib),
       {.gpu_fraction = 1.01},
       of::fraction,
       "above 0, up to 1"},
      {"not a number",
       gpu(80 * gib, 80 * gib),
       {.gpu_fraction = std::numeric_limits<double>::quiet_NaN()},
       of::fraction,
       "above 0, up to 1"},
  };
  return all;
}

} // namespace

BOOST_AUTO_TEST_SUITE(cuda_memory_plan)

BOOST_AUTO_TEST_CASE(pools_are_cut_without_gaps) {
  for (const auto& each : fitting_cases())
    BOOST_TEST_CONTEXT(each.what) {
      const auto planned = plan_memory(each.device, each.wishes);
      const auto* plan = std::get_if<memory_plan>(&planned);
      BOOST_TEST_REQUIRE(plan);
      BOOST_TEST(plan->page_count == each.pages);
      std::uint64_t end = 0;
      for (const auto& part :
           {plan->weights, plan->scratch, plan->staging, plan->pages}) {
        BOOST_TEST(part.offset == end);
        BOOST_TEST(part.offset % memory_alignment == 0u);
        end = part.offset + part.bytes;
      }
      BOOST_TEST(plan->pool_bytes == end);
      BOOST_TEST(end <= each.device.free_bytes - memory_kept_free);
      BOOST_TEST(plan->weights.bytes >= each.wishes.weight_bytes);
      BOOST_TEST(plan->pages.bytes >= each.pages * each.wishes.page_bytes);
    }
}

BOOST_AUTO_TEST_CASE(shortages_have_numbers_and_a_remedy) {
  for (const auto& each : refused_cases())
    BOOST_TEST_CONTEXT(each.what) {
      const auto planned = plan_memory(each.device, each.wishes);
      const auto* shortage = std::get_if<memory_shortage>(&planned);
      BOOST_TEST_REQUIRE(shortage);
      BOOST_TEST((shortage->what == each.expected));
      BOOST_TEST(shortage->text.find(each.remedy) != std::string::npos,
                 shortage->text);
      if (each.expected != of::fraction)
        BOOST_TEST(shortage->needed_bytes > shortage->available_bytes);
    }
}

BOOST_AUTO_TEST_CASE(the_text_is_one_line) {
  const auto planned = plan_memory(
      gpu(80 * gib, 79 * gib), {.gpu_fraction = 0.9, .weight_bytes = 75 * gib});
  BOOST_TEST(std::get<memory_shortage>(planned).text ==
             "GPU 1 (a GPU) cannot hold 75.00 GiB for the weights in a pool of "
             "72.00 GiB with 72.00 GiB left: 79.00 GiB of 80.00 GiB are free; "
             "take a smaller model or quantisation, or raise "
             "memory.gpu_fraction, which is 0.90");
}

BOOST_AUTO_TEST_SUITE_END()
