// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/memory_plan.hpp"

#include <algorithm>
#include <cstdio>
#include <limits>

namespace sluice::cuda {

namespace {

constexpr auto most = std::numeric_limits<std::uint64_t>::max();

// Sums and products that stay at the top instead of wrapping.
std::uint64_t plus(std::uint64_t a, std::uint64_t b) {
  return a > most - b ? most : a + b;
}
std::uint64_t times(std::uint64_t a, std::uint64_t b) {
  return b != 0 && a > most / b ? most : a * b;
}
std::uint64_t aligned(std::uint64_t bytes) {
  const auto up = plus(bytes, memory_alignment - 1);
  return up - up % memory_alignment;
}

std::string in_gib(std::uint64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f GiB",
                static_cast<double>(bytes) / (1u << 30));
  return text;
}

// What the pool may have, and whether other programs are why it is no more.
struct allowance {
  std::uint64_t bytes = 0;
  bool others_have_it = false;
};

allowance allowance_of(const device_facts& device, double fraction) {
  const auto wanted = static_cast<std::uint64_t>(
      static_cast<double>(device.total_bytes) * fraction);
  const auto free = device.free_bytes > memory_kept_free
                        ? device.free_bytes - memory_kept_free
                        : 0;
  const auto bytes = std::min(wanted, free);
  return {bytes - bytes % memory_alignment, free < wanted};
}

std::string remedy(const allowance& pool, double fraction,
                   const char* smaller) {
  std::string text = std::string{smaller} + ", or ";
  if (pool.others_have_it)
    return text + "end other programs on this GPU";
  char now[32];
  std::snprintf(now, sizeof now, "%.2f", fraction);
  return text + "raise memory.gpu_fraction, which is " + now;
}

class planner {
public:
  planner(const device_facts& device, const memory_wishes& wishes)
      : device_{device}, wishes_{wishes}, pool_{allowance_of(
                                              device, wishes.gpu_fraction)} {}

  std::variant<memory_plan, memory_shortage> run() {
    using of = memory_shortage::of;
    if (!take(plan_.weights, wishes_.weight_bytes))
      return short_of(of::weights, wishes_.weight_bytes, "the weights",
                      "take a smaller model or quantisation");
    if (!take(plan_.scratch, wishes_.scratch_bytes) ||
        !take(plan_.staging, wishes_.staging_bytes))
      return short_of(
          of::scratch, plus(wishes_.scratch_bytes, wishes_.staging_bytes),
          "workspaces besides the weights", "allow fewer tokens a step");
    const auto wanted = pages_wanted();
    if (!take(plan_.pages, times(wanted, wishes_.page_bytes)))
      return short_of(of::pages, times(wanted, wishes_.page_bytes),
                      pages_text(wanted),
                      "allow fewer pages, a shorter context or a smaller KV "
                      "type");
    plan_.page_count = wanted;
    plan_.pool_bytes = used_;
    return plan_;
  }

private:
  std::uint64_t left() const {
    return pool_.bytes > used_ ? pool_.bytes - used_ : 0;
  }
  std::uint64_t pages_that_fit() const { return left() / wishes_.page_bytes; }

  std::uint64_t pages_wanted() const {
    if (wishes_.page_bytes == 0)
      return 0;
    if (wishes_.wanted_pages > 0)
      return std::max(wishes_.wanted_pages, wishes_.least_pages);
    constexpr std::uint64_t most_pages =
        std::numeric_limits<std::uint32_t>::max(); // ids are 32 bits
    return std::max(std::min(pages_that_fit(), most_pages),
                    wishes_.least_pages);
  }

  std::string pages_text(std::uint64_t wanted) const {
    return std::to_string(wanted) + " KV pages, of which " +
           std::to_string(pages_that_fit()) + " fit,";
  }

  bool take(memory_part& part, std::uint64_t bytes) {
    part = {used_, aligned(bytes)};
    used_ = plus(used_, part.bytes);
    needed_ = used_;
    if (used_ <= pool_.bytes)
      return true;
    used_ = part.offset;
    return false;
  }

  memory_shortage short_of(memory_shortage::of what, std::uint64_t bytes,
                           const std::string& name, const char* smaller) {
    return {.what = what,
            .needed_bytes = needed_,
            .available_bytes = pool_.bytes,
            .text = "GPU " + std::to_string(device_.index) + " (" +
                    device_.name + ") cannot hold " + in_gib(bytes) + " for " +
                    name + " in a pool of " + in_gib(pool_.bytes) + " with " +
                    in_gib(left()) + " left: " + in_gib(device_.free_bytes) +
                    " of " + in_gib(device_.total_bytes) + " are free; " +
                    remedy(pool_, wishes_.gpu_fraction, smaller)};
  }

  const device_facts& device_;
  const memory_wishes& wishes_;
  allowance pool_;
  memory_plan plan_;
  std::uint64_t used_ = 0;
  std::uint64_t needed_ = 0; // at the last take()
};

} // namespace

std::variant<memory_plan, memory_shortage>
plan_memory(const device_facts& device, const memory_wishes& wishes) {
  if (!(wishes.gpu_fraction > 0 && wishes.gpu_fraction <= 1))
    return memory_shortage{.what = memory_shortage::of::fraction,
                           .needed_bytes = 0,
                           .available_bytes = 0,
                           .text = "memory.gpu_fraction is " +
                                   std::to_string(wishes.gpu_fraction) +
                                   "; give a number above 0, up to 1"};
  return planner{device, wishes}.run();
}

} // namespace sluice::cuda
