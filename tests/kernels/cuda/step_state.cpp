// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/step_state.hpp"

#include "kernels/check.hpp"
#include "tests/kernels/cuda/choice_fixture.hpp"
#include "tests/kernels/cuda/row_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <vector>

using namespace sluice;
using namespace sluice::test;

namespace {

using ints = std::vector<std::int32_t>;
using longs = std::vector<std::int64_t>;

constexpr std::int64_t most_sequences = 4;
constexpr std::int64_t stride = 3; // pages a sequence
constexpr std::int64_t page_tokens = 8;
constexpr std::int64_t pages = 20;
constexpr std::uint32_t no_page = ~0u;

/// Four sequences on the device and room for rows of a step.
struct step_fixture {
  cuda::stream work;
  device_array<std::int32_t> lengths{work, ints{0, 7, 8, 23}};
  device_array<std::int32_t> last_tokens{work, ints{5, 6, 7, 8}};
  device_array<std::uint32_t> tables{
      work, std::vector<std::uint32_t>{9, no_page, no_page, 3, 4, no_page, 1, 2,
                                       no_page, 10, 19, 0}};

  cuda::sequence_arrays sequences() const {
    return {.lengths = lengths.data(),
            .last_tokens = last_tokens.data(),
            .tables = {tables.data(), stride},
            .sequences = most_sequences,
            .page_tokens = page_tokens,
            .pages = pages};
  }
};

struct row_room {
  device_array<std::int32_t> ids, positions, sequences;
  device_array<std::int64_t> slots;
  device_array<cuda::choice_row> choices;

  row_room(cuda::stream& in, std::size_t rows)
      : ids{in, rows}, positions{in, rows}, sequences{in, rows},
        slots{in, rows}, choices{in, rows} {}

  cuda::step_rows view() const {
    return {.ids = ids.data(),
            .positions = positions.data(),
            .row_sequences = sequences.data(),
            .slots = slots.data(),
            .rows = static_cast<std::int64_t>(ids.size())};
  }
};

void check(const ints& found, const ints& wanted) {
  BOOST_TEST(found == wanted, boost::test_tools::per_element());
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(cuda_step_state, step_fixture)

BOOST_AUTO_TEST_CASE(decode_rows_are_the_sequences_last_tokens) {
  const device_array<std::int32_t> batch{work, ints{3, -1, 1, 0, 2, 4}};
  const row_room room{work, 6};
  cuda::build_decode_rows(
      {sequences(), batch.data(), room.view(), room.choices.data()}, work);
  check(room.ids.values(), {8, -1, 6, 5, 7, -1});
  check(room.positions.values(), {23, -1, 7, 0, 8, -1});
  check(room.sequences.values(), {3, 0, 1, 0, 2, 0});
  BOOST_TEST(room.slots.values() ==
                 (longs{0 * 8 + 7, -1, 3 * 8 + 7, 9 * 8, 2 * 8, -1}),
             boost::test_tools::per_element());
  const auto choices = room.choices.values();
  const ints settings{3, -1, 1, 0, 2, -1};
  for (std::size_t r = 0; r < 6; ++r) {
    BOOST_TEST(choices[r].settings == settings[r]);
    BOOST_TEST(choices[r].given == -1);
    BOOST_TEST(choices[r].drafts == 0);
    BOOST_TEST((settings[r] < 0 ||
                choices[r].position == room.positions.values()[r] + 1));
  }
}

BOOST_AUTO_TEST_CASE(sequences_that_wait_or_lack_a_page_are_skipped) {
  const device_array<std::int32_t> tokens{work, ints{-1, 6, 7, 8}};
  const device_array<std::int32_t> at{work, ints{0, 16, 16, 24}};
  auto all = sequences();
  all.last_tokens = tokens.data();
  all.lengths = at.data();
  const device_array<std::int32_t> batch{work, ints{0, 1, 2, 3}};
  const row_room room{work, 4};
  cuda::build_decode_rows({all, batch.data(), room.view(), room.choices.data()},
                          work);
  check(room.ids.values(), {-1, -1, -1, -1});
  check(room.positions.values(), {-1, -1, -1, -1});
}

BOOST_AUTO_TEST_CASE(deltas_change_the_arrays_they_name) {
  const auto entry = [](std::uint32_t target, std::uint64_t index,
                        std::uint32_t value) {
    return cuda::delta{target, value, index};
  };
  const device_array<cuda::delta> list{
      work, std::vector{entry(0, 1, 12), entry(1, 3, 99), entry(2, 5, 17),
                        entry(0, 4, 1), entry(3, 0, 1), cuda::delta{}}};
  cuda::delta_args args{.targets = {}, .deltas = list.data(), .count = 6};
  args.targets[0] = {lengths.data(), 4};
  args.targets[1] = {last_tokens.data(), 4};
  args.targets[2] = {tables.data(), 12};
  cuda::apply_deltas(args, work);
  check(lengths.values(), {0, 12, 8, 23});
  check(last_tokens.values(), {5, 6, 7, 99});
  auto wanted = std::vector<std::uint32_t>{9, no_page, no_page, 3,  4,  17,
                                           1, 2,       no_page, 10, 19, 0};
  BOOST_TEST(tables.values() == wanted, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(slots_follow_positions) {
  const row_room room{work, 5};
  const ints at{16, 0, 9, -1, 300};
  const ints of{3, 0, 1, 1, 2};
  work.copy(room.positions.data(), at.data(), 20);
  work.copy(room.sequences.data(), of.data(), 20);
  cuda::find_slots({sequences(), room.view()}, work);
  BOOST_TEST(room.slots.values() == (longs{0, 72, 33, -1, -1}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(tokens_come_from_an_earlier_steps_rows) {
  std::vector<cuda::choice> earlier(3);
  earlier[0].token = 40;
  earlier[2].token = 42;
  const device_array<cuda::choice> chosen{work, earlier};
  const device_array<std::int32_t> from{work, ints{2, 0, 1, 3, 2, 0}};
  const device_array<std::int32_t> at{work, ints{0, 3, 2, 1, -1, 4}};
  const device_array<std::int32_t> ids{work, ints{1, 1, 1, 1}};
  cuda::take_tokens(
      {chosen.data(), 3, from.data(), at.data(), ids.data(), 4, 6}, work);
  check(ids.values(), {42, -1, -1, 40});
}

BOOST_AUTO_TEST_CASE(sequences_advance_by_what_was_chosen) {
  const device_array<std::int32_t> batch{work, ints{2, -1, 0}};
  const row_room room{work, 3};
  cuda::build_decode_rows(
      {sequences(), batch.data(), room.view(), room.choices.data()}, work);
  std::vector<cuda::choice> found(3);
  found[0].token = 50;
  found[1].token = 51;
  found[2].status = sample_status::non_finite;
  const device_array<cuda::choice> chosen{work, found};
  cuda::advance({sequences(), room.view(), chosen.data()}, work);
  check(lengths.values(), {1, 7, 9, 23});
  check(last_tokens.values(), {-1, 6, 50, 8}); // 0 waits
}

// A whole decode loop without its forward pass: one recorded step, started
// again and again, against the same steps on the CPU.
BOOST_AUTO_TEST_CASE(a_recorded_step_decodes_without_the_host) {
  constexpr std::int64_t vocabulary = 50;
  constexpr std::size_t rows = 3;
  constexpr std::size_t steps = 6;
  choice_case expected;
  expected.logits = uniform_floats(vocabulary, 3, 2);
  expected.params = {
      .top_k = 20, .repetition_penalty = 1.2f, .presence_penalty = 0.5f};
  std::vector<float> logits;
  for (std::size_t r = 0; r < rows; ++r) {
    logits.insert(logits.end(), expected.logits.begin(), expected.logits.end());
    logits.resize(52 * (r + 1));
  }
  std::vector<cuda::choice_settings> own(most_sequences);
  for (std::size_t s = 0; s < own.size(); ++s)
    own[s] = {.params = expected.params,
              .seed = 100 + s,
              .counts = static_cast<std::int32_t>(s)};
  const device_array<float> device_logits{work, logits};
  const device_array<cuda::choice_settings> settings{work, own};
  const device_array<std::uint32_t> counts{
      work, std::vector<std::uint32_t>(4 * 52, 0)};
  const device_array<std::int32_t> batch{work, ints{2, -1, 0}};
  const row_room room{work, rows};
  const device_array<cuda::choice> chosen{work, rows};
  const device_array<std::byte> workspace{
      work, cuda::choice_workspace_bytes(rows, vocabulary)};
  work.begin_recording();
  cuda::build_decode_rows(
      {sequences(), batch.data(), room.view(), room.choices.data()}, work);
  cuda::choose_tokens({.logits = {device_logits.data(), rows, vocabulary, 52},
                       .rows = room.choices.data(),
                       .settings = settings.data(),
                       .counts = counts.data(),
                       .out = chosen.data(),
                       .workspace = workspace.data(),
                       .workspace_bytes = workspace.size()},
                      work);
  cuda::advance({sequences(), room.view(), chosen.data()}, work);
  const auto step = work.end_recording();
  std::vector<ints> found;
  for (std::size_t i = 0; i < steps; ++i) {
    work.run(step);
    const auto now = chosen.values();
    found.push_back({now[0].token, now[1].token, now[2].token});
  }
  for (const std::size_t r : {0u, 2u}) {
    const std::uint32_t sequence = r == 0 ? 2 : 0;
    auto each = expected;
    std::uint32_t length = r == 0 ? 8 : 0;
    for (std::size_t i = 0; i < steps; ++i) {
      each.key = {100 + sequence, 0, ++length};
      const auto token = choose_on_host(each).result.token;
      BOOST_TEST(found[i][r] == token);
      BOOST_TEST(found[i][1] == -1);
      each.drafts.push_back(token); // counted as generated
    }
  }
  check(lengths.values(), {6, 7, 14, 23});
}

BOOST_AUTO_TEST_CASE(mistakes_are_refused) {
  const row_room room{work, 1};
  auto odd = sequences();
  odd.page_tokens = 12;
  BOOST_CHECK_THROW(cuda::find_slots({odd, room.view()}, work),
                    contract_violation);
  BOOST_CHECK_THROW(
      cuda::build_decode_rows(
          {sequences(), nullptr, room.view(), room.choices.data()}, work),
      contract_violation);
  BOOST_CHECK_THROW(cuda::apply_deltas({.targets = {}, .count = 1}, work),
                    contract_violation);
  BOOST_CHECK_THROW(cuda::apply_deltas({.targets = {}, .count = -1}, work),
                    contract_violation);
  BOOST_CHECK_THROW(cuda::take_tokens({.count = 1}, work), contract_violation);
  BOOST_CHECK_THROW(cuda::advance({sequences(), room.view(), nullptr}, work),
                    contract_violation);
}

BOOST_AUTO_TEST_SUITE_END()
