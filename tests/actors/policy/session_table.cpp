// SPDX-License-Identifier: Apache-2.0
#include "actors/policy/session_table.hpp"

#include <algorithm>

#include <boost/test/unit_test.hpp>

namespace {

using namespace std::chrono_literals;
using sluice::policy::instant;
using sluice::policy::session_limits;
using sluice::policy::session_table;

using numbers = std::vector<std::uint64_t>;
using names = std::vector<std::string>;

names sorted(names list) {
  std::sort(list.begin(), list.end());
  return list;
}

BOOST_AUTO_TEST_SUITE(session_table_suite)

BOOST_AUTO_TEST_CASE(requests_of_a_session_are_bounded_and_given_back) {
  session_table table{{.requests = 2}};
  BOOST_TEST(!table.may_open("a")); // unknown
  BOOST_TEST(table.touch("a", 0s));
  for (std::uint64_t request : {7, 3}) {
    BOOST_TEST(table.may_open("a"));
    table.opened("a", request);
  }
  BOOST_TEST(!table.may_open("a"));
  table.closed("a", 3);
  BOOST_TEST(table.may_open("a"));
  table.opened("a", 1);
  BOOST_TEST(table.remove("a") == (numbers{1, 7}));
  BOOST_TEST(table.remove("a") == numbers{});
  BOOST_TEST(!table.knows("a"));
}

BOOST_AUTO_TEST_CASE(what_is_unknown_is_passed_over) {
  session_table table{{}};
  table.opened("nobody", 1);
  table.closed("nobody", 1);
  BOOST_TEST(table.grant_lease("nobody", 5s).count() == 0);
  BOOST_TEST(table.size() == 0u);
}

BOOST_AUTO_TEST_CASE(a_full_table_forgets_the_longest_idle) {
  session_table table{{.sessions = 3}};
  table.touch("busy", 1s);
  table.opened("busy", 1);
  table.touch("idle", 2s);
  table.touch("idler", 3s);
  table.touch("idle", 4s); // heard again: idler is now the oldest
  BOOST_TEST(table.touch("new", 5s));
  BOOST_TEST(table.knows("busy"));
  BOOST_TEST(table.knows("idle"));
  BOOST_TEST(!table.knows("idler"));
  BOOST_TEST(table.size() == 3u);
}

BOOST_AUTO_TEST_CASE(busy_sessions_are_never_forgotten) {
  session_table table{{.sessions = 2}};
  for (const auto* name : {"a", "b"}) {
    table.touch(name, 0s);
    table.opened(name, 1);
  }
  BOOST_TEST(!table.touch("c", 1s));
  BOOST_TEST(table.touch("a", 1s)); // those who are known may go on
  table.closed("b", 1);
  BOOST_TEST(table.touch("c", 2s));
  BOOST_TEST(!table.knows("b"));
}

BOOST_AUTO_TEST_CASE(probes_are_due_by_how_busy_a_session_is) {
  session_table table{{.probe_interval = 500ms, .idle_probe_interval = 30s}};
  table.touch("busy", 0s);
  table.opened("busy", 1);
  table.touch("idle", 0s);
  struct row {
    instant at;
    names due;
  };
  const row rows[] = {
      {499ms, {}},        {500ms, {"busy"}},       {999ms, {}},
      {1000ms, {"busy"}}, {30s, {"busy", "idle"}}, {30s + 400ms, {}},
  };
  for (const auto& [at, due] : rows)
    BOOST_TEST(sorted(table.due_probes(at)) == due,
               "at " << at.count() << " ns");
}

BOOST_AUTO_TEST_CASE(leases_are_bounded_renewed_and_run_out) {
  session_table table{{.lease_max = 10s}};
  table.touch("a", 0s);
  table.touch("b", 0s);
  table.touch("none", 0s);
  BOOST_TEST((table.grant_lease("a", 2s) == 2s));
  BOOST_TEST((table.grant_lease("b", 1h) == 10s));
  BOOST_TEST(table.expired_leases(2s - 1ns) == names{});
  BOOST_TEST(table.expired_leases(2s) == names{"a"});
  table.touch("a", 2s);
  BOOST_TEST(table.expired_leases(3s) == names{});
  BOOST_TEST(sorted(table.expired_leases(10s)) == (names{"a", "b"}));
  table.grant_lease("a", 0s); // none wanted any more
  BOOST_TEST(table.expired_leases(1h) == names{"b"});
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
