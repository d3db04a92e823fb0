// SPDX-License-Identifier: Apache-2.0
// Penalty counts stay on the device: tokens are counted as they come.
#include "model/cuda/cuda_counts.hpp"

#include "kernels/check.hpp"
#include "tests/kernels/cuda/device_array.hpp"
#include "tests/model/cuda/sequences.hpp"
#include "tests/model/engine/allocation_count.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>

using namespace sluice;
using namespace sluice::test;

namespace {

constexpr std::uint32_t vocab = 100;
constexpr std::uint32_t kept = 2;
constexpr float penalty = 1.5f;
constexpr std::uint32_t at_once = 8;

struct counts_fixture {
  static std::vector<std::uint32_t> counted(const lane_sequence& sequence,
                                            std::uint32_t tokens) {
    std::vector<std::uint32_t> list(cuda::count_stride(vocab));
    for (std::uint32_t at = 0; at < tokens; ++at) {
      auto& count = list[static_cast<std::size_t>(sequence.tokens()[at])];
      if (at < sequence.prompt_tokens())
        count |= cuda::count_in_prompt;
      else
        ++count;
    }
    return list;
  }

  /// Counts a sequence's tokens before a position, all but `entering` of them
  /// by what is sent.
  std::size_t count(lane_sequence& sequence, std::uint32_t position,
                    std::uint32_t entering = 0) {
    counts.begin();
    const auto row = counts.add(sequence, position, entering == 1);
    counts.send(place_, work);
    place_ = 1 - place_;
    const auto all = memory.values();
    const auto* first = reinterpret_cast<const std::uint32_t*>(all.data()) +
                        row * cuda::count_stride(vocab);
    const std::vector<std::uint32_t> found(first,
                                           first + cuda::count_stride(vocab));
    BOOST_TEST(found == counted(sequence, position - entering),
               boost::test_tools::per_element());
    return counts.changes().size();
  }

  cuda::stream work;
  cuda_counts::bounds bounds{kept, vocab, at_once};
  device_array<std::byte> memory{
      work, static_cast<std::size_t>(cuda_counts::bytes_for(bounds))};
  cuda_counts counts{bounds, {memory.data(), memory.size()}};
  some_sequences sequences{512};
  std::uint32_t place_ = 0;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(cuda_counts_test, counts_fixture)

BOOST_AUTO_TEST_CASE(tokens_are_counted_once) {
  auto& a = sequences.add(20, 30, 100, penalty); // goes up in parts
  BOOST_TEST(count(a, 25) == 25u);
  BOOST_TEST(count(a, 30) == 5u);
  BOOST_TEST(count(a, 30) == 0u);
  a.append(std::vector<std::int32_t>{5, 98, 5});
  BOOST_TEST(count(a, 33) == 3u);
}

BOOST_AUTO_TEST_CASE(what_enters_is_not_sent) {
  auto& a = sequences.add(20, 30, 100, penalty);
  BOOST_TEST(count(a, 30, 1) == 29u);
  a.append(std::vector<std::int32_t>{unknown_token});
  const allocation_count here;
  counts.begin();
  counts.add(a, 31, true);
  BOOST_TEST(here.count() == 0u);
  BOOST_TEST(counts.changes().empty());
  BOOST_CHECK_THROW(counts.add(a, 31, true), contract_violation);
}

BOOST_AUTO_TEST_CASE(what_was_counted_and_is_rolled_back_is_counted_anew) {
  auto& a = sequences.add(20, 30, 100, penalty);
  BOOST_TEST(count(a, 30) == 30u);
  a.append(std::vector<std::int32_t>{7, 8});
  a.truncate(30); // nothing of it had been counted
  BOOST_TEST(count(a, 30) == 0u);
  a.truncate(29);
  a.append(std::vector<std::int32_t>{9});
  BOOST_TEST(count(a, 30) == 30u);
}

BOOST_AUTO_TEST_CASE(who_has_lost_its_row_sends_everything_again) {
  auto& a = sequences.add(3, 5, 100, penalty);
  auto& b = sequences.add(3, 6, 100, penalty);
  auto& c = sequences.add(3, 7, 100, penalty);
  BOOST_TEST(count(a, 5) == 5u);
  BOOST_TEST(count(b, 6) == 6u);
  BOOST_TEST(count(a, 5) == 0u);
  BOOST_TEST(count(c, 7) == 7u); // takes b's
  BOOST_TEST(count(a, 5) == 0u);
  BOOST_TEST(count(b, 6) == 6u);
  counts.forget();
  BOOST_TEST(count(b, 6) == 6u);
  counts.begin();
  counts.add(a, 5, false);
  counts.add(b, 6, false);
  BOOST_TEST(!counts.has_room_for(c));
  BOOST_CHECK_THROW(counts.add(c, 7, false), contract_violation);
}

// It may be one that there never was, of a row that failed.
BOOST_AUTO_TEST_CASE(a_token_that_nobody_knows_is_left_out) {
  auto& a = sequences.add(1, 2, 100, penalty);
  a.append(std::vector<std::int32_t>{unknown_token, 4});
  counts.begin();
  counts.add(a, 4, false);
  counts.send(0, work);
  a.learn(2, 6);
  BOOST_TEST(a.tokens()[2] == 6);
  a.learn(4, 7); // gone meanwhile
  BOOST_TEST(a.tokens().size() == 4u);
}

BOOST_AUTO_TEST_SUITE_END()
