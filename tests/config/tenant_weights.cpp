// SPDX-License-Identifier: Apache-2.0
#include "config/tenant_weights.hpp"

#include <boost/test/unit_test.hpp>

#include "config/config.hpp"

using sluice::config::config_error;
using sluice::config::parse_tenant_weights;

BOOST_AUTO_TEST_SUITE(tenant_weights)

BOOST_AUTO_TEST_CASE(reads_names_and_weights) {
  BOOST_TEST(parse_tenant_weights("").empty());
  BOOST_TEST(parse_tenant_weights("  ").empty());
  const auto weights = parse_tenant_weights("gold=4, a=b=2 ,free = 1,");
  BOOST_TEST(weights.size() == 3u);
  BOOST_TEST(weights.at("gold") == 4u);
  BOOST_TEST(weights.at("a=b") == 2u);
  BOOST_TEST(weights.at("free") == 1u);
}

BOOST_AUTO_TEST_CASE(refuses_the_rest_and_shows_how) {
  for (const auto* text : {"gold", "=4", "gold=", "gold=0", "gold=1001",
                           "gold=-1", "gold=1.5", "gold=4x", "a=1,a=2", ","})
    BOOST_CHECK_EXCEPTION(parse_tenant_weights(text), config_error,
                          [](const config_error& error) {
                            const std::string_view what{error.what()};
                            return what.find("gold=4,free=1") != what.npos;
                          });
}

BOOST_AUTO_TEST_SUITE_END()
