// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu_topology.hpp"

#include "kernels/cpu_affinity.hpp"
#include "tests/support/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <fstream>
#include <map>
#include <string>
#include <thread>

namespace sluice::test {

namespace {

using files = std::map<std::string, std::string>; // path below the root: text

struct machine_case {
  const char* what;
  files tree;
  std::vector<int> allowed;
  std::vector<int> cpus;
  int cores;
  std::optional<double> quota;
  int threads;
};

std::string siblings_file(int cpu) {
  return "sys/devices/system/cpu/cpu" + std::to_string(cpu) +
         "/topology/thread_siblings_list";
}

// Four cores of two hardware threads, numbered as most PCs do and as some
// servers do.
files far_siblings() {
  files tree;
  for (int cpu = 0; cpu < 8; ++cpu) {
    const int first = cpu % 4;
    tree[siblings_file(cpu)] =
        std::to_string(first) + "," + std::to_string(first + 4) + "\n";
  }
  return tree;
}

files near_siblings() {
  files tree;
  for (int cpu = 0; cpu < 8; ++cpu) {
    const int first = cpu / 2 * 2;
    tree[siblings_file(cpu)] =
        std::to_string(first) + "-" + std::to_string(first + 1) + "\n";
  }
  return tree;
}

files with(files tree, const files& more) {
  tree.insert(more.begin(), more.end());
  return tree;
}

const std::vector<int> eight = {0, 1, 2, 3, 4, 5, 6, 7};
const std::string cgroup = "sys/fs/cgroup/";

std::vector<machine_case> machine_cases() {
  return {
      {"nothing is known", {}, {0, 1}, {0, 1}, 2, {}, 2},
      {"the affinity is unknown", {}, {}, {0}, 1, {}, 1},
      {"siblings far apart", far_siblings(), eight, eight, 4, {}, 4},
      {"siblings side by side",
       near_siblings(),
       eight,
       {0, 2, 4, 6, 1, 3, 5, 7},
       4,
       {},
       4},
      {"the newer name of the siblings' file",
       {{"sys/devices/system/cpu/cpu1/topology/core_cpus_list", "0-1"},
        {"sys/devices/system/cpu/cpu0/topology/core_cpus_list", "0-1"}},
       {0, 1},
       {0, 1},
       1,
       {},
       1},
      {"a mask without first siblings",
       near_siblings(),
       {1, 3, 4, 5},
       {1, 3, 4, 5},
       3,
       {},
       3},
      {"a cpuset",
       with(near_siblings(), {{cgroup + "cpuset.cpus.effective", "2-3,6\n"}}),
       eight,
       {2, 6, 3},
       2,
       {},
       2},
      {"a cpuset beside the mask counts for nothing",
       {{cgroup + "cpuset.cpus.effective", "4-7\n"}},
       {0, 1},
       {0, 1},
       2,
       {},
       2},
      {"a quota of one and a half",
       with(far_siblings(), {{cgroup + "cpu.max", "150000 100000\n"}}), eight,
       eight, 4, 1.5, 2},
      {"a quota above the cores",
       with(far_siblings(), {{cgroup + "cpu.max", "900000 100000\n"}}), eight,
       eight, 4, 9, 4},
      {"a tiny quota",
       {{cgroup + "cpu.max", "1000 1000000\n"}},
       {0, 1},
       {0, 1},
       2,
       0.001,
       1},
      {"no quota", {{cgroup + "cpu.max", "max 100000\n"}}, {0}, {0}, 1, {}, 1},
      {"the tightest quota on the way up, the nearest cpuset",
       {{"proc/self/cgroup", "1:cpu:/old\n0::/a/b\n"},
        {cgroup + "a/b/cpu.max", "max 100000"},
        {cgroup + "a/cpu.max", "200000 100000"},
        {cgroup + "cpu.max", "300000 100000"},
        {cgroup + "a/cpuset.cpus.effective", "0-2"},
        {cgroup + "cpuset.cpus.effective", "0-7"}},
       eight,
       {0, 1, 2},
       3,
       2,
       2},
      {"version 2 mounted beside version 1",
       {{"proc/self/cgroup", "0::/a\n"},
        {cgroup + "cpu.max", "100000 100000"},
        {cgroup + "unified/a/cpu.max", "200000 100000"}},
       {0, 1, 2},
       {0, 1, 2},
       3,
       2,
       2},
  };
}

// Content that means nothing; the machine must look as if it were absent.
const char* const hostile_lists[] = {"",
                                     "\n",
                                     "x",
                                     "1-",
                                     "-1",
                                     "3-1",
                                     "0-99999999",
                                     "1,,2x",
                                     "0 1",
                                     "1-2-3",
                                     "99999999999999",
                                     "\xff\xfe",
                                     "0x1"};
const char* const hostile_quotas[] = {
    "",        "0 0",        "100000",   "-1 100000",  "100000 0",
    "nan 1",   "inf 100000", "1 inf",    "1e308 1e-9", "max",
    "max max", "100000 -1",  "\xff 100", "1 2 3"};

void write(const std::filesystem::path& root, const files& tree) {
  for (const auto& [name, text] : tree) {
    std::filesystem::create_directories((root / name).parent_path());
    std::ofstream(root / name, std::ios::binary) << text;
  }
}

} // namespace

BOOST_AUTO_TEST_SUITE(topology)

BOOST_AUTO_TEST_CASE(machines_are_read_as_they_are) {
  for (const machine_case& c : machine_cases()) {
    const temporary_directory root;
    write(root.path(), c.tree);
    const cpu_topology found = read_topology(root.path(), c.allowed);
    BOOST_TEST_CONTEXT(c.what) {
      BOOST_TEST(found.cpus == c.cpus, boost::test_tools::per_element());
      BOOST_TEST(found.cores == c.cores);
      BOOST_TEST((found.quota == c.quota));
      BOOST_TEST(default_threads(found) == c.threads);
    }
  }
}

BOOST_AUTO_TEST_CASE(hostile_files_limit_nothing) {
  for (const std::string text : hostile_lists) {
    const temporary_directory root;
    write(root.path(), {{cgroup + "cpuset.cpus.effective", text},
                        {siblings_file(0), text},
                        {siblings_file(1), text}});
    const cpu_topology found = read_topology(root.path(), {0, 1});
    BOOST_TEST((found.cpus == std::vector{0, 1}), text);
    BOOST_TEST(found.cores == 2, text);
  }
  for (const std::string text : hostile_quotas) {
    const temporary_directory root;
    write(root.path(), {{cgroup + "cpu.max", text}});
    BOOST_TEST(!read_topology(root.path(), {0, 1}).quota, text);
  }
}

BOOST_AUTO_TEST_CASE(a_cgroup_path_does_not_leave_the_mount) {
  const temporary_directory root;
  write(root.path(), {{"proc/self/cgroup", "0::/../../outside\n"},
                      {"outside/cpu.max", "100000 100000"},
                      {cgroup + "cpu.max", "200000 100000"}});
  BOOST_TEST(read_topology(root.path(), {0, 1, 2}).quota.value_or(0) == 2);
}

BOOST_AUTO_TEST_CASE(pinning_needs_all_cores_and_enough_of_them) {
  const temporary_directory root;
  write(root.path(), near_siblings());
  const cpu_topology machine = read_topology(root.path(), eight);
  BOOST_TEST(!worth_pinning(machine, 1)); // others may want the rest
  BOOST_TEST(!worth_pinning(machine, 3));
  BOOST_TEST(worth_pinning(machine, 4));
  BOOST_TEST(worth_pinning(machine, 8));
  BOOST_TEST(!worth_pinning(machine, 9));
}

BOOST_AUTO_TEST_CASE(this_machine_can_be_read) {
  const cpu_topology machine = detect_cpus();
  BOOST_TEST(!machine.cpus.empty());
  BOOST_TEST(machine.cores >= 1);
  BOOST_TEST(machine.cores <= static_cast<int>(machine.cpus.size()));
  BOOST_TEST(default_threads(machine) >= 1);
}

BOOST_AUTO_TEST_CASE(a_thread_runs_where_it_is_told) {
  const std::vector<int> before = allowed_cpus();
  std::vector<int> bound;
  std::vector<int> after;
  std::thread([&] {
    run_on({before.back()});
    bound = allowed_cpus();
    run_on(before);
    after = allowed_cpus();
  }).join();
  BOOST_TEST((bound == std::vector{before.back()}));
  BOOST_TEST((after == before));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace sluice::test
