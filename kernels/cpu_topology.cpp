// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu_topology.hpp"

#include "kernels/cpu_affinity.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <string_view>

namespace sluice {

namespace {

namespace fs = std::filesystem;

constexpr int most_cpus = 1 << 14;
constexpr std::size_t most_bytes = 1 << 16; // of one file

std::string read_file(const fs::path& path) {
  std::string text(most_bytes, '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(
      static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  return text;
}

// Takes the part before the first `end` off the front of `text`.
std::string_view take_until(std::string_view& text, char end) {
  const std::string_view part = text.substr(0, text.find(end));
  text.remove_prefix(std::min(text.size(), part.size() + 1));
  return part;
}

template <class Number>
std::optional<Number> number_of(std::string_view text) {
  Number value{};
  const char* last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, value);
  if (text.empty() || error != std::errc() || end != last || value < 0) {
    return std::nullopt;
  }
  return value;
}

// A list such as "0-3,8"; nothing if it is not one.
std::optional<std::vector<int>> cpu_list(std::string_view text) {
  std::vector<int> cpus;
  text = take_until(text, '\n');
  while (!text.empty()) {
    const std::string_view range = take_until(text, ',');
    const auto dash = range.find('-');
    const auto first = number_of<int>(range.substr(0, dash));
    const auto last =
        dash == range.npos ? first : number_of<int>(range.substr(dash + 1));
    if (!first || !last || *last < *first || *last >= most_cpus ||
        cpus.size() >= most_cpus) {
      return std::nullopt;
    }
    for (int cpu = *first; cpu <= *last; ++cpu) {
      cpus.push_back(cpu);
    }
  }
  std::sort(cpus.begin(), cpus.end());
  return cpus;
}

// "150000 100000": microseconds of CPU time in each period; "max 100000": any.
std::optional<double> quota_of(std::string_view text) {
  text = take_until(text, '\n');
  const auto time = number_of<double>(take_until(text, ' '));
  const auto period = number_of<double>(text);
  if (!time || !period) {
    return std::nullopt;
  }
  const double cpus = *time / *period;
  return cpus > 0 && std::isfinite(cpus) ? std::optional(cpus) : std::nullopt;
}

// The path of this process's cgroup below the mount; "" for the mount itself.
fs::path cgroup_path(const fs::path& root) {
  const std::string text = read_file(root / "proc/self/cgroup");
  std::string_view rest = text;
  while (!rest.empty()) {
    std::string_view line = take_until(rest, '\n');
    if (line.substr(0, 3) == "0::") {
      const auto path = fs::path(line.substr(3)).relative_path();
      const bool escapes =
          std::find(path.begin(), path.end(), "..") != path.end();
      return escapes ? fs::path() : path;
    }
  }
  return {};
}

// The folders that limit this process, its own cgroup first.
std::vector<fs::path> cgroups(const fs::path& root) {
  fs::path mount = root / "sys/fs/cgroup";
  std::error_code ignored;
  if (fs::exists(mount / "unified", ignored)) {
    mount /= "unified";
  }
  std::vector<fs::path> folders;
  for (fs::path path = cgroup_path(root); !path.empty();
       path = path.parent_path()) {
    folders.push_back(mount / path);
  }
  folders.push_back(mount);
  return folders;
}

std::vector<int> allowed_by_cpuset(const std::vector<fs::path>& groups,
                                   const std::vector<int>& allowed) {
  for (const fs::path& group : groups) {
    const auto set = cpu_list(read_file(group / "cpuset.cpus.effective"));
    if (!set) {
      continue;
    }
    std::vector<int> both;
    std::set_intersection(set->begin(), set->end(), allowed.begin(),
                          allowed.end(), std::back_inserter(both));
    if (!both.empty()) {
      return both;
    }
  }
  return allowed;
}

// A number that the hardware threads of one core share.
int core_of(const fs::path& root, int cpu) {
  const fs::path folder = root / "sys/devices/system/cpu" /
                          ("cpu" + std::to_string(cpu)) / "topology";
  for (const char* name : {"core_cpus_list", "thread_siblings_list"}) {
    const auto siblings = cpu_list(read_file(folder / name));
    if (siblings &&
        std::binary_search(siblings->begin(), siblings->end(), cpu)) {
      return siblings->front();
    }
  }
  return cpu;
}

// Fills `cpus` and `cores`.
void order_by_core(const fs::path& root, const std::vector<int>& allowed,
                   cpu_topology& machine) {
  std::map<int, std::vector<int>> cores;
  for (const int cpu : allowed) {
    cores[core_of(root, cpu)].push_back(cpu);
  }
  for (std::size_t turn = 0; machine.cpus.size() < allowed.size(); ++turn) {
    for (const auto& [core, threads] : cores) {
      if (turn < threads.size()) {
        machine.cpus.push_back(threads[turn]);
      }
    }
  }
  machine.cores = static_cast<int>(cores.size());
}

} // namespace

cpu_topology read_topology(const fs::path& root,
                           const std::vector<int>& allowed) {
  cpu_topology machine;
  const std::vector<fs::path> groups = cgroups(root);
  const std::vector<int> usable =
      allowed_by_cpuset(groups, allowed.empty() ? std::vector{0} : allowed);
  order_by_core(root, usable, machine);
  for (const fs::path& group : groups) {
    const auto quota = quota_of(read_file(group / "cpu.max"));
    if (quota && (!machine.quota || *quota < *machine.quota)) {
      machine.quota = quota;
    }
  }
  return machine;
}

cpu_topology detect_cpus() {
  return read_topology("/", allowed_cpus());
}

int default_threads(const cpu_topology& machine) {
  const double quota = std::ceil(machine.quota.value_or(machine.cores));
  return quota < machine.cores ? std::max(1, static_cast<int>(quota))
                               : machine.cores;
}

bool worth_pinning(const cpu_topology& machine, int threads) {
  return threads >= machine.cores &&
         threads <= static_cast<int>(machine.cpus.size());
}

} // namespace sluice
