// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu_affinity.hpp"

#include <pthread.h>
#include <sched.h>

#include <memory>

namespace sluice {

namespace {

// The fixed cpu_set_t ends at 1024 CPUs.
constexpr int most_cpus = 1 << 14;

struct set_deleter {
  void operator()(cpu_set_t* set) const { CPU_FREE(set); }
};

using cpu_mask = std::unique_ptr<cpu_set_t, set_deleter>;

std::size_t mask_bytes() {
  return CPU_ALLOC_SIZE(most_cpus);
}

cpu_mask empty_mask() {
  cpu_mask mask(CPU_ALLOC(most_cpus));
  if (mask) {
    CPU_ZERO_S(mask_bytes(), mask.get());
  }
  return mask;
}

} // namespace

std::vector<int> allowed_cpus() {
  std::vector<int> cpus;
  const cpu_mask mask = empty_mask();
  if (!mask || sched_getaffinity(0, mask_bytes(), mask.get()) != 0) {
    return cpus;
  }
  for (int cpu = 0; cpu < most_cpus; ++cpu) {
    if (CPU_ISSET_S(cpu, mask_bytes(), mask.get())) {
      cpus.push_back(cpu);
    }
  }
  return cpus;
}

void run_on(const std::vector<int>& cpus) {
  const cpu_mask mask = empty_mask();
  if (!mask || cpus.empty()) {
    return;
  }
  for (const int cpu : cpus) {
    CPU_SET_S(cpu, mask_bytes(), mask.get());
  }
  pthread_setaffinity_np(pthread_self(), mask_bytes(), mask.get());
}

} // namespace sluice
