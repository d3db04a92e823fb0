// SPDX-License-Identifier: Apache-2.0
#include "messages/error_code.hpp"

#include <boost/test/unit_test.hpp>
#include <set>
#include <string>

namespace sluice::messages {

BOOST_AUTO_TEST_SUITE(error_code_suite)

BOOST_AUTO_TEST_CASE(every_code_has_a_row_of_its_own) {
  std::set<std::string_view> names;
  for (const auto code : EnumValuesErrorCode()) {
    const auto& row = describe(code);
    BOOST_TEST((row.code == code));
    BOOST_TEST(row.name == EnumNameErrorCode(code));
    BOOST_TEST(!row.meaning.empty());
    BOOST_TEST(row.remedy.empty() == (code == ErrorCode::none));
    names.insert(row.name);
  }
  BOOST_TEST(names.size() == std::size(EnumValuesErrorCode()));
}

BOOST_AUTO_TEST_CASE(unknown_codes_are_internal) {
  BOOST_TEST(to_string(static_cast<ErrorCode>(60000)) == "internal");
}

BOOST_AUTO_TEST_CASE(reasons_have_the_names_of_the_schema) {
  for (const auto reason : EnumValuesFinishReason())
    BOOST_TEST(to_string(reason) == EnumNameFinishReason(reason));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace sluice::messages
