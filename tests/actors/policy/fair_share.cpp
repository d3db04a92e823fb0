// SPDX-License-Identifier: Apache-2.0
#include "actors/policy/fair_share.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <string>

#include "actors/policy/waiting_queue.hpp"

using sluice::policy::fair_share;
using sluice::policy::waiting_queue;

namespace {

const auto everybody = [](const std::string&) { return true; };

} // namespace

BOOST_AUTO_TEST_SUITE(fair_share_policy)

BOOST_AUTO_TEST_CASE(counts_priced_tokens_over_the_weight) {
  fair_share shares{{.input = 1, .output = 2}};
  shares.set_weight("gold", 4);
  for (const auto* tenant : {"gold", "free"}) {
    shares.charge_input(tenant, 100);
    shares.charge_output(tenant, 50);
  }
  BOOST_TEST(shares.counter("free") == 200);
  BOOST_TEST(shares.counter("gold") == 50);
  BOOST_TEST(shares.counter("unheard of") == 0);
  BOOST_CHECK_THROW(shares.set_weight("gold", 0), std::logic_error);
}

BOOST_AUTO_TEST_CASE(who_comes_back_is_lifted_to_those_who_wait) {
  struct row {
    const char* what;
    double mine, others;
    bool others_wait;
    double expected;
  };
  const row table[] = {
      {"behind: nothing is owed for time away", 10, 500, true, 500},
      {"ahead: nothing is forgiven", 900, 500, true, 900},
      {"nobody waits: as the last that did", 10, 500, false, 500},
  };
  for (const auto& [what, mine, others, others_wait, expected] : table) {
    fair_share shares;
    shares.arrives("other");
    shares.charge_input("other", static_cast<std::uint64_t>(others));
    shares.charge_input("me", static_cast<std::uint64_t>(mine));
    if (!others_wait)
      shares.leaves_queue("other");
    shares.arrives("me");
    BOOST_TEST_CONTEXT(what)
    BOOST_TEST(shares.counter("me") == expected);
  }
}

BOOST_AUTO_TEST_CASE(a_second_request_lifts_nobody) {
  fair_share shares;
  shares.arrives("me");
  shares.arrives("other");
  shares.charge_input("other", 100);
  shares.arrives("me");
  BOOST_TEST(shares.counter("me") == 0);
}

BOOST_AUTO_TEST_CASE(names_without_end_take_bounded_memory) {
  fair_share shares;
  shares.set_weight("gold", 2);
  for (int i = 0; i < 100'000; ++i) {
    const auto name = std::to_string(i);
    shares.arrives(name);
    shares.leaves_queue(name);
    shares.charge_input(name, 10);
  }
  BOOST_TEST(shares.known() < 10'000u);
  shares.charge_input("gold", 10);
  BOOST_TEST(shares.counter("gold") == 5); // weights stay
}

// The theorem: tenants that always have work differ by a bounded amount of
// service, whatever each of their requests takes.
BOOST_AUTO_TEST_CASE(backlogged_tenants_get_equal_service) {
  std::mt19937 random{3};
  fair_share shares;
  waiting_queue queue;
  std::map<std::string, double> served;
  std::map<std::uint64_t, sluice::policy::waiting_place> places;
  std::uint64_t next = 0;
  const auto submit = [&](const std::string& tenant) {
    places[next] = {tenant, 0, next, next};
    queue.push(places[next++]);
    shares.arrives(tenant);
  };
  const std::map<std::string, std::uint32_t> sizes{
      {"short", 10}, {"long", 1000}, {"mixed", 300}};
  for (const auto& [tenant, size] : sizes)
    for (int i = 0; i < 3; ++i)
      submit(tenant);
  for (int i = 0; i < 20'000; ++i) {
    const auto request = queue.next(shares, everybody);
    BOOST_REQUIRE(request.has_value());
    const auto place = places.at(*request);
    queue.erase(place);
    submit(place.tenant); // never without work
    shares.leaves_queue(place.tenant);
    const auto tokens = 1 + random() % (2 * sizes.at(place.tenant));
    shares.charge_output(place.tenant, tokens);
    served[place.tenant] += static_cast<double>(tokens);
    const auto [least, most] =
        std::minmax({served["short"], served["long"], served["mixed"]});
    BOOST_REQUIRE(most - least <= 2 * 2000);
  }
}

BOOST_AUTO_TEST_CASE(the_queue_keeps_order_within_a_tenant) {
  fair_share shares;
  waiting_queue queue;
  queue.push({"a", 0, 1, 101});
  queue.push({"a", 0, 2, 102});
  queue.push({"a", 1, 3, 103}); // more urgent
  queue.push({"b", 0, 4, 104});
  BOOST_TEST(queue.size() == 4u);
  BOOST_TEST(queue.next(shares, everybody).value() == 103u);
  queue.erase({"a", 1, 3, 103});
  BOOST_TEST(queue.next(shares, everybody).value() == 101u);
  shares.charge_input("a", 1);
  BOOST_TEST(queue.next(shares, everybody).value() == 104u);
  const auto not_b = [](const std::string& tenant) { return tenant != "b"; };
  BOOST_TEST(queue.next(shares, not_b).value() == 101u);
  queue.erase({"a", 0, 1, 999}); // unknown: nothing happens
  BOOST_TEST(queue.size() == 3u);
  BOOST_TEST(!queue.next(shares, [](const std::string&) { return false; }));
}

BOOST_AUTO_TEST_SUITE_END()
