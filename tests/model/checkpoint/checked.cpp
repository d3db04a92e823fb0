// SPDX-License-Identifier: Apache-2.0
#include "model/checkpoint/checked.hpp"

#include "tests/model/checkpoint/refusal.hpp"

#include <cstdint>

namespace sluice::test {

BOOST_AUTO_TEST_SUITE(checked)

constexpr std::uint64_t most = UINT64_MAX;
constexpr fault_site site{"file", "tensor 'x'"};

BOOST_AUTO_TEST_CASE(values_within_64_bits_pass) {
  BOOST_TEST((checked_u64(most - 1) + 1).value(site) == most);
  BOOST_TEST((checked_u64(1ull << 32) * (1ull << 31)).value(site) == 1ull
                                                                         << 63);
  BOOST_TEST(checked_u64(65).rounded_up(32).value(site) == 96u);
  BOOST_TEST(checked_u64(0).rounded_up(32).value(site) == 0u);
  BOOST_TEST(checked_u64(7).at_most(7));
  BOOST_TEST(!checked_u64(8).at_most(7));
}

BOOST_AUTO_TEST_CASE(overflow_sticks) {
  const auto wraps_to_zero = checked_u64(1ull << 63) * 2;
  const auto padded_to_zero = checked_u64(most - 2).rounded_up(32);
  for (auto value : {wraps_to_zero, padded_to_zero, wraps_to_zero * 0,
                     wraps_to_zero + 1, checked_u64(most) + 1}) {
    BOOST_TEST(value.overflowed());
    BOOST_TEST(!value.at_most(most));
    const auto text = check_refused("overflow", model_fault::overflow,
                                    [&] { value.value(site); });
    BOOST_TEST(text.find("tensor 'x'") != text.npos);
  }
}

BOOST_AUTO_TEST_CASE(texts_are_one_printable_line) {
  const model_error error(model_fault::limit, {"a\nb", "key '\x1b[31m\xff'"},
                          "rule", "remedy");
  BOOST_TEST(error.what() == "a?b: key '?[31m?': rule; remedy");
  BOOST_TEST(printable(std::string(100, 'x')) == std::string(80, 'x') + "...");
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace sluice::test
