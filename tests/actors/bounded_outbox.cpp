// SPDX-License-Identifier: Apache-2.0
#include "actors/bounded_outbox.hpp"

#include <atomic>
#include <thread>

#include <boost/test/unit_test.hpp>

namespace {

using namespace sluice::actors;

outgoing part(std::size_t size) {
  return {std::shared_ptr<const std::byte>{new std::byte[size],
                                           std::default_delete<std::byte[]>{}},
          size};
}

BOOST_AUTO_TEST_SUITE(bounded_outbox_suite)

BOOST_AUTO_TEST_CASE(messages_come_out_in_their_order) {
  bounded_outbox out{{}};
  BOOST_TEST(out.send_control("a", part(1)));
  BOOST_TEST(out.publish("t", part(2)));
  BOOST_TEST(out.send_control("b", part(3)));
  const auto all = out.take_all();
  BOOST_REQUIRE(all.size() == 3u);
  BOOST_TEST((all[0].socket == out_socket::control));
  BOOST_TEST((all[1].socket == out_socket::stream));
  BOOST_TEST(all[1].address == "t");
  BOOST_TEST(all[2].bytes.size == 3u);
  BOOST_TEST(out.take_all().empty());
}

BOOST_AUTO_TEST_CASE(count_and_bytes_are_bounded_and_drops_are_counted) {
  bounded_outbox out{{.messages = 3, .bytes = 100}};
  BOOST_TEST(out.send_control("a", part(60)));
  BOOST_TEST(!out.publish("t", part(41)));
  BOOST_TEST(out.publish("t", part(40))); // exactly full
  BOOST_TEST(out.send_control("a", part(0)));
  BOOST_TEST(!out.send_control("a", part(0))); // the fourth message
  auto drops = out.take_drops();
  BOOST_TEST(drops.control == 1u);
  BOOST_TEST(drops.stream == 1u);
  BOOST_TEST(out.take_drops().stream == 0u);
  BOOST_TEST(out.take_all().size() == 3u);
  BOOST_TEST(out.send_control("a", part(100))); // there is room again
}

BOOST_AUTO_TEST_CASE(the_reader_is_woken_once_for_what_it_takes_at_once) {
  int wakes = 0;
  bounded_outbox out{{}, [&wakes] { ++wakes; }};
  for (int i = 0; i < 5; ++i)
    out.publish("t", part(1));
  BOOST_TEST(wakes == 1);
  out.take_all();
  out.publish("t", part(1));
  BOOST_TEST(wakes == 2);
}

BOOST_AUTO_TEST_CASE(many_writers_lose_nothing_and_no_wake_up) {
  std::atomic<int> wakes{0};
  bounded_outbox out{{}, [&wakes] { ++wakes; }};
  std::atomic<bool> done{false};
  constexpr int writers = 4;
  constexpr int each = 2000;
  std::vector<std::thread> threads;
  for (int w = 0; w < writers; ++w)
    threads.emplace_back([&out, w] {
      for (int i = 0; i < each; ++i)
        out.publish(std::to_string(w), part(8));
    });
  std::vector<out_message> all;
  std::thread reader{[&] {
    int seen = 0;
    while (!done || seen != wakes) {
      if (seen == wakes) {
        std::this_thread::yield();
        continue;
      }
      ++seen; // as the eventfd would tell it
      for (auto& message : out.take_all())
        all.push_back(std::move(message));
    }
  }};
  for (auto& thread : threads)
    thread.join();
  done = true;
  reader.join();
  BOOST_TEST(all.size() == std::size_t{writers * each});
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
