// SPDX-License-Identifier: Apache-2.0
#include "actors/policy/replay_window.hpp"

#include <memory>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <zlib.h>

#include "kernels/check.hpp"

namespace {

using namespace sluice::messages;
using sluice::policy::replay_window;
using sluice::policy::window_limits;

frame<Chunk> chunk(std::uint32_t seq, std::size_t text_bytes = 8) {
  ChunkT body;
  body.id = std::make_unique<RequestId>(1, 2);
  body.seq = seq;
  DeltaT delta;
  delta.text.assign(text_bytes, 'x');
  body.body.Set(std::move(delta));
  return pack<Chunk>(body);
}

std::size_t cost(const frame<Chunk>& c) {
  return c.bytes().size() + replay_window::overhead_bytes;
}

BOOST_AUTO_TEST_SUITE(replay_window_suite)

BOOST_AUTO_TEST_CASE(holds_the_latest_chunks_by_count) {
  replay_window window{{.chunks = 3}};
  for (std::uint32_t seq = 0; seq < 10; ++seq) {
    window.append(chunk(seq));
    BOOST_TEST(window.next_seq() == seq + 1);
    BOOST_TEST(window.held().size() == std::min(seq + 1, 3u));
    BOOST_TEST(window.first_held() == (seq < 3 ? 0 : seq - 2));
    BOOST_TEST(window.held().front()->seq() == window.first_held());
    BOOST_TEST(window.held().back()->seq() == seq);
  }
}

BOOST_AUTO_TEST_CASE(holds_the_latest_chunks_by_bytes) {
  const auto one = cost(chunk(0, 100));
  replay_window window{{.chunks = 1000, .bytes = 4 * one}};
  for (std::uint32_t seq = 0; seq < 20; ++seq) {
    window.append(chunk(seq, 100));
    BOOST_TEST(window.bytes() <= 4 * one);
    std::size_t sum = 0;
    for (const auto& held : window.held())
      sum += cost(held);
    BOOST_TEST(window.bytes() == sum);
  }
  BOOST_TEST(window.held().size() >= 3u);
}

BOOST_AUTO_TEST_CASE(the_latest_chunk_stays_however_large) {
  replay_window window{{.chunks = 10, .bytes = 200}};
  window.append(chunk(0));
  window.append(chunk(1, 10'000));
  BOOST_TEST(window.held().size() == 1u);
  BOOST_TEST(window.first_held() == 1u);
  BOOST_TEST(window.drop_oldest() == 0u);
  window.append(chunk(2));
  BOOST_TEST(window.first_held() == 2u);
}

BOOST_AUTO_TEST_CASE(the_checksum_covers_what_has_left_the_window) {
  replay_window window{{.chunks = 1}};
  BOOST_TEST(window.checksum() == 0u);
  std::vector<Bytef> all;
  for (std::uint32_t seq = 0; seq < 5; ++seq) {
    const auto next = chunk(seq, seq * 10);
    const auto* first = reinterpret_cast<const Bytef*>(next.bytes().data());
    all.insert(all.end(), first, first + next.bytes().size());
    window.append(next);
    BOOST_TEST(window.checksum() ==
               crc32(0, all.data(), static_cast<uInt>(all.size())));
  }
}

BOOST_AUTO_TEST_CASE(chunks_come_in_order) {
  replay_window window{{}};
  BOOST_CHECK_THROW(window.append(chunk(1)), sluice::contract_violation);
  BOOST_CHECK_THROW(window.append({}), sluice::contract_violation);
  window.append(chunk(0));
  BOOST_CHECK_THROW(window.append(chunk(0)), sluice::contract_violation);
  BOOST_TEST(window.next_seq() == 1u);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
