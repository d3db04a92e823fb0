// SPDX-License-Identifier: Apache-2.0
#include "config/units.hpp"

#include <boost/test/unit_test.hpp>

using namespace sluice::config;
using std::chrono::milliseconds;

BOOST_AUTO_TEST_SUITE(config_units)

BOOST_AUTO_TEST_CASE(sizes_are_read) {
  const std::pair<const char*, std::uint64_t> rows[] = {
      {"0", 0},
      {"4096", 4096},
      {"1B", 1},
      {"8GiB", 8ull << 30},
      {"8 GiB", 8ull << 30},
      {" 512MiB ", 512ull << 20},
      {"10GB", 10'000'000'000},
      {"16777215TiB", 16777215ull << 40},
      {"18446744073709551615", 18446744073709551615ull},
  };
  for (const auto& [text, bytes] : rows)
    BOOST_TEST(parse_byte_size(text).value().count == bytes, text);
}

BOOST_AUTO_TEST_CASE(what_is_no_size_is_refused) {
  for (const auto* text :
       {"", " ", "GiB", "-1", "+1", "1.5GiB", "8gib", "8 gigs", "8G", "0x10",
        "16777216TiB", "18446744073709551616", "1KiB 2KiB", "1\tKiB"})
    BOOST_TEST(!parse_byte_size(text).has_value(), text);
}

BOOST_AUTO_TEST_CASE(durations_are_read) {
  const std::pair<const char*, long long> rows[] = {
      {"0", 0},          {"500ms", 500},     {"30s", 30'000},
      {"5min", 300'000}, {"2 h", 7'200'000}, {"1d", 86'400'000}};
  for (const auto& [text, count] : rows)
    BOOST_TEST(parse_duration(text).value().count() == count, text);
}

BOOST_AUTO_TEST_CASE(what_is_no_duration_is_refused) {
  for (const auto* text : {"", "30", "s", "-5s", "1.5s", "5m", "9223372036855s",
                           "99999999999999999999ms"})
    BOOST_TEST(!parse_duration(text).has_value(), text);
}

BOOST_AUTO_TEST_CASE(printing_is_exact_and_short) {
  BOOST_TEST(to_string(byte_size{0}) == "0B");
  BOOST_TEST(to_string(512_mib) == "512MiB");
  BOOST_TEST(to_string(2048_mib) == "2GiB");
  BOOST_TEST(to_string(byte_size{1000}) == "1000B");
  BOOST_TEST(to_string(milliseconds{0}) == "0s");
  BOOST_TEST(to_string(milliseconds{1500}) == "1500ms");
  BOOST_TEST(to_string(milliseconds{120'000}) == "2min");
}

BOOST_AUTO_TEST_CASE(printed_values_read_back) {
  for (std::uint64_t n = 1; n < (1ull << 60); n = n * 3 + 1) {
    BOOST_TEST(parse_byte_size(to_string(byte_size{n})).value().count == n);
    const milliseconds duration{static_cast<long long>(n % 1'000'000'000)};
    BOOST_TEST(parse_duration(to_string(duration)).value().count() ==
               duration.count());
  }
}

BOOST_AUTO_TEST_SUITE_END()
