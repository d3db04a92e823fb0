// SPDX-License-Identifier: Apache-2.0
#include "messages/request_id.hpp"

#include <boost/test/unit_test.hpp>

namespace sluice::messages {

BOOST_AUTO_TEST_SUITE(request_id_suite)

BOOST_AUTO_TEST_CASE(hex_and_back) {
  const request_id id{0x0123456789abcdef, 0x00000000000000ff};
  BOOST_TEST(id.hex() == "0123456789abcdef00000000000000ff");
  BOOST_TEST((request_id::parse(id.hex()) == id));
  BOOST_TEST((request_id::parse("0123456789ABCDEF00000000000000FF") == id));
  BOOST_TEST((request_id::from(id.to_wire()) == id));
}

BOOST_AUTO_TEST_CASE(only_32_digits_are_an_id) {
  for (const auto* text :
       {"", "0123456789abcdef00000000000000f",
        "g123456789abcdef00000000000000ff", "0123456789abcdef00000000000000ff0",
        "-123456789abcdef00000000000000ff", "0123456789abcdef-0000000000000ff",
        "0x23456789abcdef00000000000000ff"})
    BOOST_TEST(!request_id::parse(text), text);
}

BOOST_AUTO_TEST_CASE(random_ids_differ) {
  BOOST_TEST((request_id::random() != request_id::random()));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace sluice::messages
