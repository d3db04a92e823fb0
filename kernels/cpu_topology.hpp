// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

namespace sluice {

/// What of a machine this process may use.
struct cpu_topology {
  std::vector<int> cpus; // one CPU of each physical core, then the second of
                         // each core that has one, and so on; never empty
  int cores = 1;         // physical cores among them: the first part of `cpus`
  std::optional<double> quota; // CPUs' worth of time that the cgroup grants,
                               // > 0; nothing: no limit
};

/// Reads the topology below `root`: hardware threads of a core from sysfs,
/// cpuset.cpus.effective and cpu.max of this process's cgroup (version 2) and
/// of those above it.
/// @param root     "/", or a tree that a test made.
/// @param allowed  CPUs that the affinity mask lets the caller use, ascending.
/// @note never fails: a file that is missing or makes no sense limits nothing.
cpu_topology read_topology(const std::filesystem::path& root,
                           const std::vector<int>& allowed);

/// The topology of this machine, as the calling thread may use it.
cpu_topology detect_cpus();

/// How many threads compute best: one for each physical core, at most the
/// quota rounded up.
int default_threads(const cpu_topology& machine);

/// Whether threads should stay on cores of their own. They should not when
/// they are more than the CPUs, nor when they leave cores free: those who
/// share the machine, a second daemon first of all, would bind to the same.
bool worth_pinning(const cpu_topology& machine, int threads);

} // namespace sluice
