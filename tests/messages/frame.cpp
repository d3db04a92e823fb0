// SPDX-License-Identifier: Apache-2.0
#include "messages/frame.hpp"

#include <boost/test/unit_test.hpp>
#include <vector>

#include "flatbuffers/minireflect.h"
#include "tests/support/random_frame.hpp"

namespace sluice::testing {
namespace {

using byte_vector = std::vector<std::byte>;

constexpr int samples = 50;

byte_vector copy_of(std::span<const std::byte> bytes) {
  return {bytes.begin(), bytes.end()};
}

template <class T>
std::string text_of(const frame<T>& message) {
  const auto* first =
      reinterpret_cast<const std::uint8_t*>(message.bytes().data());
  return flatbuffers::FlatBufferToString(first, T::MiniReflectTypeTable());
}

/// Verifier and values, without the ranges that random numbers break.
template <class T>
std::optional<std::string> check(std::span<const std::byte> bytes) {
  const auto aligned = frame<T>::copy_verified(bytes);
  const auto* first =
      reinterpret_cast<const std::uint8_t*>(aligned.bytes().data());
  if (!flatbuffers::Verifier{first, bytes.size()}.VerifyBuffer<T>(
          message_traits<T>::identifier))
    return "verifier";
  return check_values(aligned.bytes(), *T::MiniReflectTypeTable());
}

template <class F>
void for_every_message(F&& f) {
  wire_messages::each(f);
  lane_messages::each(f);
}

} // namespace

BOOST_AUTO_TEST_SUITE(frame_suite)

BOOST_AUTO_TEST_CASE(every_message_survives_unpack_and_pack) {
  generator random{1};
  for_every_message([&]<class T>() {
    for (int i = 0; i < samples; ++i) {
      const auto original = random_frame<T>(random);
      const auto problem = check<T>(original.bytes());
      BOOST_REQUIRE_MESSAGE(!problem, message_traits<T>::identifier
                                          << ": " << problem.value_or(""));
      const auto once = pack<T>(original.unpack());
      const auto twice = pack<T>(once.unpack());
      BOOST_REQUIRE(!check<T>(once.bytes()));
      BOOST_REQUIRE_EQUAL(text_of(once), text_of(twice));
    }
  });
}

BOOST_AUTO_TEST_CASE(every_truncation_is_refused) {
  generator random{2};
  for_every_message([&]<class T>() {
    const auto whole = copy_of(random_frame<T>(random).bytes());
    for (std::size_t size = 0; size < whole.size(); ++size) {
      if (size < 16) {
        const auto* identifier = message_traits<T>::identifier;
        BOOST_REQUIRE(check_envelope({whole.data(), size}, identifier, {}));
        continue;
      }
      // Only the padding after the last object may be missing.
      const bool only_padding =
          std::all_of(whole.begin() + static_cast<std::ptrdiff_t>(size),
                      whole.end(), [](auto b) { return b == std::byte{0}; });
      const auto problem = check<T>({whole.data(), size});
      BOOST_REQUIRE_MESSAGE(problem || only_padding,
                            message_traits<T>::identifier << " cut at "
                                                          << size);
    }
  });
}

BOOST_AUTO_TEST_CASE(flipped_bits_are_refused_or_harmless) {
  generator random{3};
  std::size_t refused = 0;
  std::size_t accepted = 0;
  for_every_message([&]<class T>() {
    auto bytes = copy_of(random_frame<T>(random).bytes());
    for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
      const auto mask = static_cast<std::byte>(1u << (bit % 8));
      bytes[bit / 8] ^= mask;
      const auto result = parse_frame<T>(bytes, frame_limits{});
      bytes[bit / 8] ^= mask;
      refused += result.index();
      accepted += 1 - result.index();
      if (result.index() == 0) { // then all of it can be read and sent on
        const auto again = pack<T>(std::get<0>(result).unpack());
        BOOST_REQUIRE(!check<T>(again.bytes()));
      }
    }
  });
  BOOST_TEST(refused > 1000u);
  BOOST_TEST(accepted > 1000u);
}

BOOST_AUTO_TEST_CASE(bytes_may_lie_anywhere) {
  generator random{4};
  const auto chunk = random_frame<Chunk>(random);
  byte_vector room(chunk.bytes().size() + 16);
  for (std::size_t shift = 0; shift < 16; ++shift) {
    std::copy(chunk.bytes().begin(), chunk.bytes().end(),
              room.begin() + static_cast<std::ptrdiff_t>(shift));
    const auto result = parse_frame<Chunk>(
        std::span{room}.subspan(shift, chunk.bytes().size()), {});
    BOOST_REQUIRE_EQUAL(result.index(), 0u);
    const auto* first = std::get<0>(result).bytes().data();
    BOOST_TEST(reinterpret_cast<std::uintptr_t>(first) % 16 == 0u);
  }
}

BOOST_AUTO_TEST_CASE(another_type_is_refused_by_name) {
  generator random{5};
  const auto result =
      parse_frame<Cancel>(random_frame<Query>(random).bytes(), {});
  BOOST_REQUIRE_EQUAL(result.index(), 1u);
  BOOST_TEST(std::get<1>(result).text ==
             "the frame's identifier is QUE1; expected: CAN1");
}

BOOST_AUTO_TEST_CASE(size_depth_and_tables_are_limited) {
  ChunkT chunk;
  chunk.id = std::make_unique<RequestId>(1, 2);
  DeltaT delta;
  delta.logprobs.push_back(std::make_unique<TokenLogprobT>());
  delta.logprobs[0]->top.push_back(std::make_unique<TopLogprobT>());
  chunk.body.Set(std::move(delta));
  const auto bytes = copy_of(pack<Chunk>(chunk).bytes());
  const auto is_taken = [&](frame_limits limits) {
    return parse_frame<Chunk>(bytes, limits).index() == 0;
  };
  BOOST_TEST(is_taken({.max_depth = 4, .max_tables = 4}));
  BOOST_TEST(!is_taken({.max_depth = 3}));
  BOOST_TEST(!is_taken({.max_tables = 3}));
  BOOST_TEST(is_taken({.max_frame_bytes = bytes.size()}));
  BOOST_TEST(!is_taken({.max_frame_bytes = bytes.size() - 1}));
}

BOOST_AUTO_TEST_CASE(copies_share_the_bytes) {
  generator random{6};
  const auto first = random_frame<Submit>(random);
  const auto second = first;
  BOOST_TEST(first.bytes().data() == second.bytes().data());
  BOOST_TEST(!frame<Submit>{});
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace sluice::testing
