// SPDX-License-Identifier: Apache-2.0
#include "tools/client/stream_assembler.hpp"

#include <algorithm>
#include <random>

#include <boost/test/unit_test.hpp>

#include "tests/tools/client/chunk_maker.hpp"

using namespace sluice::client;
using sluice::client::test::chunk_maker;
using sluice::client::test::text_of;
using verdict = stream_assembler::verdict;

namespace {

/// All the text that comes out now.
std::string drain(stream_assembler& stream) {
  std::string text;
  while (auto chunk = stream.next())
    text += text_of(*chunk);
  return text;
}

/// What a client reads when chunks come in the order of these indices.
std::string read_in_order(const std::vector<chunk_frame>& chunks,
                          const std::vector<std::size_t>& order,
                          stream_assembler& stream) {
  std::string text;
  for (const auto index : order) {
    stream.take(chunks.at(index));
    text += drain(stream);
  }
  return text;
}

} // namespace

BOOST_AUTO_TEST_SUITE(client_stream_assembler)

BOOST_AUTO_TEST_CASE(any_order_gives_the_same_text) {
  const auto chunks = chunk_maker{}.whole(3);
  const std::vector<std::size_t> rows[] = {
      {0, 1, 2, 3},          {3, 2, 1, 0},       {0, 0, 1, 1, 2, 2, 3, 3},
      {1, 0, 3, 2},          {0, 2, 3, 0, 1},    {3, 3, 3, 0, 1, 2},
      {0, 1, 0, 1, 2, 1, 3}, {2, 1, 0, 2, 1, 3},
  };
  for (const auto& order : rows) {
    stream_assembler stream;
    BOOST_TEST(read_in_order(chunks, order, stream) == "0 1 2 ");
    BOOST_TEST(stream.ended());
    BOOST_TEST(!stream.problem().has_value());
    BOOST_TEST(stream.next_seq() == 4u);
  }
}

BOOST_AUTO_TEST_CASE(random_loss_repeats_and_shuffles_are_repaired) {
  const auto chunks = chunk_maker{}.whole(200);
  stream_assembler undisturbed;
  std::vector<std::size_t> order(chunks.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto expected = read_in_order(chunks, order, undisturbed);
  std::mt19937 random{42};
  for (int round = 0; round < 50; ++round) {
    stream_assembler stream;
    std::string text;
    while (!stream.ended()) { // lossy passes, as a replay would repeat them
      auto pass = order;
      std::shuffle(pass.begin(), pass.end(), random);
      pass.resize(pass.size() / 2);
      text += read_in_order(chunks, pass, stream);
    }
    BOOST_TEST(text == expected);
    BOOST_TEST(!stream.problem().has_value());
  }
}

BOOST_AUTO_TEST_CASE(a_hole_is_seen_and_filled) {
  const auto chunks = chunk_maker{}.whole(3);
  stream_assembler stream;
  BOOST_TEST(!stream.has_hole());
  BOOST_TEST((stream.take(chunks[1]) == verdict::taken));
  BOOST_TEST(stream.has_hole());
  BOOST_TEST(!stream.next().has_value());
  BOOST_TEST((stream.take(chunks[0]) == verdict::taken));
  BOOST_TEST(drain(stream) == "0 1 ");
  BOOST_TEST(!stream.has_hole());
  BOOST_TEST(!stream.ended());
  BOOST_TEST(stream.next_seq() == 2u);
}

BOOST_AUTO_TEST_CASE(repeats_are_told_apart) {
  const auto chunks = chunk_maker{}.whole(1);
  stream_assembler stream;
  stream.take(chunks[0]);
  BOOST_TEST((stream.take(chunks[0]) == verdict::repeated)); // still waits
  drain(stream);
  BOOST_TEST((stream.take(chunks[0]) == verdict::repeated)); // came out
  stream.take(chunks[1]);
  drain(stream);
  BOOST_TEST((stream.take(chunks[1]) == verdict::repeated)); // has ended
}

BOOST_AUTO_TEST_CASE(another_epoch_is_foreign) {
  stream_assembler stream;
  stream.take(chunk_maker({1, 2}, 7).delta("a"));
  const auto other = chunk_maker({1, 2}, 8).whole(2);
  BOOST_TEST((stream.take(other[1]) == verdict::foreign));
  BOOST_TEST(drain(stream) == "a");
  BOOST_TEST(!stream.has_hole());
}

BOOST_AUTO_TEST_CASE(waiting_chunks_are_bounded) {
  const auto chunks = chunk_maker{}.whole(10);
  stream_assembler stream{3};
  for (const auto index : {3, 4, 5})
    BOOST_TEST((stream.take(chunks[index]) == verdict::taken));
  BOOST_TEST((stream.take(chunks[6]) == verdict::too_early));
  // The one that is missed always has a place.
  BOOST_TEST((stream.take(chunks[0]) == verdict::taken));
  BOOST_TEST(drain(stream) == "0 ");
}

BOOST_AUTO_TEST_CASE(a_wrong_checksum_or_count_is_a_problem) {
  for (const bool checksum : {true, false}) {
    chunk_maker maker;
    const auto first = maker.delta("a");
    checksum ? maker.corrupt_checksum() : maker.corrupt_count();
    const auto last = maker.finished();
    stream_assembler stream;
    stream.take(first);
    stream.take(last);
    drain(stream);
    BOOST_TEST(stream.ended());
    BOOST_TEST(stream.problem().has_value());
  }
}

BOOST_AUTO_TEST_CASE(a_failed_chunk_ends_a_stream_too) {
  chunk_maker maker;
  const auto first = maker.delta("a");
  const auto last = maker.failed(sluice::messages::ErrorCode::shutdown, "bye");
  stream_assembler stream;
  stream.take(last);
  stream.take(first);
  drain(stream);
  BOOST_TEST(stream.ended());
  BOOST_TEST(!stream.problem().has_value());
}

BOOST_AUTO_TEST_SUITE_END()
