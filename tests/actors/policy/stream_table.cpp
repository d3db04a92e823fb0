// SPDX-License-Identifier: Apache-2.0
#include "actors/policy/stream_table.hpp"

#include <memory>

#include <boost/test/unit_test.hpp>

#include "kernels/check.hpp"

namespace {

using namespace std::chrono_literals;
using namespace sluice::messages;
using namespace sluice::policy;

using numbers = std::vector<std::uint64_t>;

stream_origin origin(std::uint64_t low, instant linger = 30s) {
  return {.id = {0, low}, .tenant = "acme", .linger = linger};
}

frame<Chunk> chunk_for(const stream& s, std::size_t text_bytes = 100) {
  ChunkT body;
  body.id = std::make_unique<RequestId>(s.origin.id.to_wire());
  body.seq = s.window.next_seq();
  DeltaT delta;
  delta.text.assign(text_bytes, 'x');
  body.body.Set(std::move(delta));
  return pack<Chunk>(body);
}

numbers grow(stream_table& table, stream& s, std::size_t text_bytes = 100) {
  return table.append(s, chunk_for(s, text_bytes));
}

BOOST_AUTO_TEST_SUITE(stream_table_suite)

BOOST_AUTO_TEST_CASE(streams_are_found_by_request_and_topic) {
  stream_table table{{}};
  auto& a = table.open(1, origin(7));
  auto& b = table.open(2, origin(7)); // another tenant's, the same id
  table.open(3, origin(8));
  BOOST_TEST(table.find(1) == &a);
  BOOST_TEST(table.find(4) == nullptr);
  BOOST_TEST(a.topic == "00000000000000000000000000000007");
  BOOST_TEST((table.of_topic(a.topic) == std::vector<stream*>{&a, &b}));
  BOOST_TEST(table.of_topic("").empty());
  BOOST_TEST(table.of_topic("0000").empty());
  BOOST_CHECK_THROW(table.open(1, origin(9)), sluice::contract_violation);
  table.erase(1);
  table.erase(1);
  BOOST_TEST((table.of_topic(b.topic) == std::vector<stream*>{&b}));
  BOOST_TEST(table.open_count() == 2u);
}

BOOST_AUTO_TEST_CASE(ended_streams_linger_then_expire_in_order) {
  stream_table table{{}};
  auto& slow = table.open(1, origin(1, 60s));
  auto& quick = table.open(2, origin(2, 10s));
  table.open(3, origin(3));
  table.end(slow, 100s);
  table.end(quick, 120s);
  BOOST_CHECK_THROW(table.end(slow, 130s), sluice::contract_violation);
  BOOST_TEST(table.held_count() == 2u);
  BOOST_TEST(table.open_count() == 1u);
  BOOST_TEST(table.expire(130s - 1ns) == numbers{});
  BOOST_TEST(table.expire(130s) == numbers{2});
  BOOST_TEST(table.expire(200s) == numbers{1});
  BOOST_TEST(table.expire(10h) == numbers{}); // the open one stays
  BOOST_TEST(table.held_count() == 0u);
  BOOST_TEST(table.open_count() == 1u);
}

BOOST_AUTO_TEST_CASE(an_ended_stream_takes_no_chunks) {
  stream_table table{{}};
  auto& s = table.open(1, origin(1));
  grow(table, s);
  table.end(s, 0s);
  BOOST_CHECK_THROW(grow(table, s), sluice::contract_violation);
}

BOOST_AUTO_TEST_CASE(bytes_are_an_exact_sum) {
  stream_table table{{}};
  BOOST_TEST(table.bytes() == 0u);
  auto& a = table.open(1, origin(1));
  auto& b = table.open(2, origin(2));
  for (int i = 0; i < 10; ++i)
    grow(table, i % 2 ? a : b, 50u * i);
  BOOST_TEST(table.bytes() == 2 * stream_table::overhead_bytes +
                                  a.window.bytes() + b.window.bytes());
  table.end(a, 0s);
  table.expire(30s);
  BOOST_TEST(table.bytes() == stream_table::overhead_bytes + b.window.bytes());
  table.erase(2);
  BOOST_TEST(table.bytes() == 0u);
}

BOOST_AUTO_TEST_CASE(over_the_bound_ended_streams_go_first) {
  stream_table table{{.total_bytes = 20'000}};
  auto& first = table.open(1, origin(1));
  auto& second = table.open(2, origin(2));
  auto& growing = table.open(3, origin(3));
  auto& open = table.open(4, origin(4));
  for (auto* s : {&first, &second, &open})
    grow(table, *s, 3'000);
  table.end(second, 1s); // expires before first
  table.end(first, 2s);
  numbers forgotten;
  while (forgotten.size() < 2) {
    for (const auto request : grow(table, growing, 1'000))
      forgotten.push_back(request);
    BOOST_TEST(table.bytes() <= 20'000u);
  }
  BOOST_TEST(forgotten == (numbers{2, 1}));
  BOOST_TEST(table.find(4)->window.first_held() == 0u); // left alone
}

BOOST_AUTO_TEST_CASE(then_the_growing_stream_gives_up_its_own_chunks) {
  stream_table table{{.total_bytes = 20'000}};
  auto& other = table.open(1, origin(1));
  grow(table, other, 5'000);
  auto& growing = table.open(2, origin(2));
  for (int i = 0; i < 100; ++i) {
    BOOST_TEST(grow(table, growing, 1'000).empty());
    BOOST_TEST(table.bytes() <= 20'000u);
  }
  BOOST_TEST(growing.window.first_held() > 80u);
  BOOST_TEST(growing.window.next_seq() == 100u);
  BOOST_TEST(other.window.first_held() == 0u);
}

BOOST_AUTO_TEST_CASE(resending_is_limited_and_the_late_get_one_more) {
  stream_table table{{.resend_interval = 100ms}};
  auto& s = table.open(1, origin(1));
  struct row {
    instant at;
    resend_verdict expected;
  };
  const row rows[] = {
      {1000ms, resend_verdict::now},         {1010ms, resend_verdict::later},
      {1020ms, resend_verdict::already_due}, {1100ms, resend_verdict::now},
      {1199ms, resend_verdict::later},       {1500ms, resend_verdict::now},
      {1700ms, resend_verdict::now},
  };
  for (const auto& [at, expected] : rows)
    BOOST_TEST((table.ask_resend(s, at) == expected),
               "at " << at.count() << " ns");
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
