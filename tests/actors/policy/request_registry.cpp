// SPDX-License-Identifier: Apache-2.0
#include "actors/policy/request_registry.hpp"

#include <boost/test/unit_test.hpp>

#include "kernels/check.hpp"

namespace {

using namespace sluice::policy;

const request_key key_a{"acme", {1, 2}};
const body_hash body_a{10, 20};

BOOST_AUTO_TEST_SUITE(request_registry_suite)

BOOST_AUTO_TEST_CASE(ids_are_scoped_by_tenant_and_name_one_body) {
  request_registry registry;
  registry.add(key_a, body_a);
  struct row {
    request_key key;
    body_hash body;
    familiarity expected;
  };
  const row rows[] = {
      {key_a, body_a, familiarity::same},
      {key_a, {10, 21}, familiarity::conflict},
      {key_a, {11, 20}, familiarity::conflict},
      {{"acme", {1, 3}}, body_a, familiarity::fresh},
      {{"acme", {2, 2}}, body_a, familiarity::fresh},
      {{"", {1, 2}}, body_a, familiarity::fresh},
      {{"other", {1, 2}}, {10, 21}, familiarity::fresh},
  };
  for (const auto& [key, body, expected] : rows)
    BOOST_TEST((registry.compare(key, body) == expected),
               "tenant '" << key.tenant << "', id " << key.id.hex());
}

BOOST_AUTO_TEST_CASE(both_names_lead_to_the_record) {
  request_registry registry;
  auto& record = registry.add(key_a, body_a);
  record.owner = "session";
  BOOST_TEST(registry.find(key_a) == &record);
  BOOST_TEST(registry.find(record.number) == &record);
  BOOST_TEST(registry.find(record.number + 1) == nullptr);
  BOOST_TEST(registry.find(request_key{"acme", {9, 9}}) == nullptr);
  BOOST_CHECK_THROW(registry.add(key_a, body_a), sluice::contract_violation);
  BOOST_TEST(registry.size() == 1u);
}

BOOST_AUTO_TEST_CASE(numbers_are_never_given_twice) {
  request_registry registry;
  const auto first = registry.add(key_a, body_a).number;
  registry.erase(first);
  BOOST_TEST((registry.compare(key_a, {7, 7}) == familiarity::fresh));
  BOOST_TEST(registry.add(key_a, body_a).number > first);
}

BOOST_AUTO_TEST_CASE(requests_in_preparation_are_counted) {
  request_registry registry;
  auto& a = registry.add(key_a, body_a);
  auto& b = registry.add({"acme", {3, 4}}, body_a);
  registry.add({"acme", {5, 6}}, body_a);
  BOOST_TEST(registry.preparing() == 3u);
  registry.advance(a, request_phase::open);
  registry.advance(a, request_phase::ended);
  BOOST_TEST(registry.preparing() == 2u);
  registry.erase(b.number); // refused
  BOOST_TEST(registry.preparing() == 1u);
  const auto expired = a.number;
  registry.erase(expired);
  registry.erase(expired + 1000); // unknown
  BOOST_TEST(registry.preparing() == 1u);
  BOOST_TEST(registry.size() == 1u);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
