// SPDX-License-Identifier: Apache-2.0
#include "actors/publisher.hpp"

#include <map>
#include <random>

#include <boost/test/unit_test.hpp>
#include <zlib.h>

#include "actors/metric_names.hpp"
#include "tests/actors/edge_neighbours.hpp"
#include "tests/actors/recording_outbox.hpp"
#include "tests/support/actor_fixture.hpp"
#include "tests/support/printing.hpp"

namespace {

using namespace std::chrono_literals;
using namespace sluice::actors;
using namespace sluice::messages;
using namespace sluice::tests;

using numbers = std::vector<request_number>;

/// One step's Tokens, put together row by row.
class step {
public:
  step& delta(request_number request, std::string text) {
    auto row = std::make_unique<TokensOfT>();
    row->request = request;
    row->delta = std::make_unique<DeltaT>();
    row->delta->tokens = {1, 2, 3};
    row->delta->text = std::move(text);
    tokens_.deltas.push_back(std::move(row));
    return *this;
  }

  step& sequence_end(request_number request) {
    auto row = std::make_unique<SequenceEndOfT>();
    row->request = request;
    row->end = std::make_unique<SequenceEndT>();
    row->end->reason = FinishReason::stop_string;
    tokens_.ends.push_back(std::move(row));
    return *this;
  }

  step& finished(request_number request) {
    auto row = std::make_unique<FinishedOfT>();
    row->request = request;
    row->reason = FinishReason::length;
    row->receipt = std::make_unique<ReceiptT>();
    row->receipt->generated_tokens = 5;
    tokens_.finished.push_back(std::move(row));
    return *this;
  }

  step& failed(request_number request) {
    auto row = std::make_unique<FailedOfT>();
    row->request = request;
    row->code = ErrorCode::numeric_failure;
    row->text = "NaN";
    tokens_.failed.push_back(std::move(row));
    return *this;
  }

  sluice::messages::frame<Tokens> packed() const {
    return pack<Tokens>(tokens_);
  }

private:
  TokensT tokens_;
};

struct publisher_fixture : actor_fixture {
  publisher_fixture() : publisher_fixture(publisher_config{.epoch = 99}) {}

  explicit publisher_fixture(publisher_config config) {
    publisher = keep(system.spawn(
        sluice::actors::publisher, config,
        publisher_links{out, credit, keep(spawn_meter(system, journal))}));
    tell(open_atom::value, keep(spawn_gateway(system, journal)));
  }

  template <class... Args>
  void tell(Args&&... args) {
    self->send(publisher, std::forward<Args>(args)...);
    run();
  }

  void open(request_number request, std::uint32_t keep_for_ms = 0) {
    SubmitT body;
    body.id = std::make_unique<RequestId>(0, request);
    body.tenant = "acme";
    body.model = "pebble";
    body.keep_for_ms = keep_for_ms;
    tell(open_atom::value, request, pack<Submit>(body));
  }

  void publish(const step& what) { tell(what.packed()); }

  void replay(request_number request, std::uint32_t from_seq) {
    ReplayT what;
    what.id = std::make_unique<RequestId>(0, request);
    what.from_seq = from_seq;
    tell(session_id{"client"}, request, pack<Replay>(what));
  }

  void subscribe(request_number request) {
    credit->take();
    tell(topic_atom::value, request_id{0, request}.hex());
  }

  std::shared_ptr<recording_outbox> out = std::make_shared<recording_outbox>();
  std::shared_ptr<frame_credit> credit = std::make_shared<frame_credit>(8);
  edge_journal journal;
  publisher_actor publisher;
};

std::vector<std::byte> bytes_of(const recorded& one) {
  const auto span = one.span();
  return {span.begin(), span.end()};
}

std::uint32_t crc_of(const std::vector<recorded>& chunks, std::size_t count) {
  uLong crc = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const auto span = chunks[i].span();
    crc = crc32(crc, reinterpret_cast<const Bytef*>(span.data()),
                static_cast<uInt>(span.size()));
  }
  return static_cast<std::uint32_t>(crc);
}

BOOST_FIXTURE_TEST_SUITE(publisher_suite, publisher_fixture)

// -- chunks -------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(chunks_are_numbered_and_go_to_the_requests_topic) {
  open(1);
  open(2);
  publish(step{}.delta(1, "ein").delta(2, "two").delta(1, "s"));
  publish(step{}.sequence_end(1));
  const auto sent = out->take_published();
  BOOST_TEST(sent.size() == 4u);
  const auto first = sent.at(0).as<Chunk>();
  BOOST_TEST(sent.at(0).address == (request_id{0, 1}.hex()));
  BOOST_TEST(first->epoch() == 99u);
  BOOST_TEST(first->tenant()->str() == "acme");
  BOOST_TEST(first->seq() == 0u);
  BOOST_TEST(first->body_as_Delta()->text()->str() == "ein");
  BOOST_TEST(first->body_as_Delta()->tokens()->size() == 3u);
  BOOST_TEST(sent.at(1).as<Chunk>()->seq() == 0u); // of the other stream
  BOOST_TEST(sent.at(1).address == (request_id{0, 2}.hex()));
  BOOST_TEST(sent.at(2).as<Chunk>()->seq() == 1u);
  BOOST_TEST(sent.at(3).as<Chunk>()->seq() == 2u);
  BOOST_TEST(sent.at(3).as<Chunk>()->body_as_SequenceEnd()->reason() ==
             FinishReason::stop_string);
  BOOST_TEST(
      ask<std::uint32_t>(publisher, open_atom::value, request_number{1}) == 3u);
}

BOOST_AUTO_TEST_CASE(the_last_chunk_counts_and_checks_all_before_it) {
  open(1);
  publish(step{}.delta(1, "a"));
  publish(step{}.delta(1, "b").sequence_end(1).finished(1));
  const auto sent = out->take_published();
  BOOST_TEST(sent.size() == 4u);
  const auto last = sent.back().as<Chunk>();
  BOOST_TEST(last->body_as_Finished()->chunks() == 4u);
  BOOST_TEST(last->body_as_Finished()->checksum() == crc_of(sent, 3));
  BOOST_TEST(last->body_as_Finished()->reason() == FinishReason::length);
  BOOST_TEST(last->body_as_Finished()->receipt()->generated_tokens() == 5u);
  BOOST_TEST(journal.ended == numbers{1});
}

BOOST_AUTO_TEST_CASE(the_first_terminal_wins) {
  open(1);
  publish(step{}.delta(1, "a").finished(1).failed(1));
  publish(step{}.delta(1, "late").finished(1));
  tell(failed_atom::value, request_number{1}, ErrorCode::shutdown,
       std::string{});
  tell(cancel_atom::value, request_number{1}, FinishReason::cancelled);
  const auto sent = out->take_published();
  BOOST_TEST(sent.size() == 2u);
  BOOST_TEST(sent.back().as<Chunk>()->body_as_Finished());
  BOOST_TEST(journal.ended == numbers{1});
  BOOST_TEST(journal.total(metric::late_terminals) == 4.0);
  BOOST_TEST(journal.total(metric::late_chunks) == 1.0);
}

BOOST_AUTO_TEST_CASE(requests_that_never_ran_end_with_a_receipt) {
  open(1);
  open(2);
  advance(30ms);
  tell(cancel_atom::value, request_number{1}, FinishReason::cancelled);
  tell(failed_atom::value, request_number{2}, ErrorCode::queue_timeout,
       std::string{});
  const auto sent = out->take_published();
  BOOST_TEST(sent.size() == 2u);
  const auto finished = sent.at(0).as<Chunk>();
  BOOST_TEST(finished->body_as_Finished()->reason() == FinishReason::cancelled);
  BOOST_TEST(finished->body_as_Finished()->chunks() == 1u);
  BOOST_TEST(finished->body_as_Finished()->receipt()->total_us() == 30'000u);
  const auto failed = sent.at(1).as<Chunk>();
  BOOST_TEST(failed->body_as_Failed()->code() == ErrorCode::queue_timeout);
  BOOST_TEST(!failed->body_as_Failed()->text()->str().empty());
  BOOST_TEST(failed->body_as_Failed()->receipt()->model()->str() == "pebble");
}

BOOST_AUTO_TEST_CASE(unknown_and_discarded_requests_have_no_stream) {
  open(1);
  tell(reject_atom::value, request_number{1});
  publish(step{}.delta(1, "a").delta(7, "b").finished(7));
  BOOST_TEST(out->take_published().empty());
  BOOST_TEST(journal.ended.empty());
}

// -- replay -------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(replayed_chunks_are_the_same_bytes) {
  open(1);
  publish(step{}.delta(1, "a").delta(1, "b"));
  publish(step{}.delta(1, "c").finished(1));
  const auto sent = out->take_published();
  for (std::uint32_t from = 0; from <= 5; ++from) {
    replay(1, from);
    const auto again = out->take_control();
    const auto expected = from < 4 ? 4 - from : 0;
    BOOST_REQUIRE(again.size() == expected + 1);
    for (std::uint32_t i = 0; i < expected; ++i) {
      BOOST_TEST(again[i].address == "client");
      BOOST_TEST((bytes_of(again[i]) == bytes_of(sent[from + i])));
    }
    const auto done = again.back().as<Replayed>();
    BOOST_TEST(done->next_seq() == 4u);
    BOOST_TEST(done->ended());
  }
}

BOOST_AUTO_TEST_CASE(an_open_stream_replays_what_there_is) {
  open(1);
  replay(1, 0);
  const auto done = out->only_control().as<Replayed>();
  BOOST_TEST(done->next_seq() == 0u);
  BOOST_TEST(!done->ended());
}

BOOST_AUTO_TEST_CASE(replay_stops_where_the_outbox_is_full) {
  open(1);
  publish(step{}.delta(1, "a").delta(1, "b").delta(1, "c"));
  out->room = 2;
  replay(1, 0);
  out->room = 100;
  const auto again = out->take_control();
  BOOST_TEST(again.size() == 2u); // and no Replayed: the client asks again
  BOOST_TEST(again.back().as<Chunk>()->seq() == 1u);
}

BOOST_AUTO_TEST_CASE(an_unknown_stream_is_a_gap_without_end) {
  replay(1, 3);
  const auto gap = out->only_control().as<Gap>();
  BOOST_TEST(gap->to_seq() == 0u);
  BOOST_TEST(gap->code() == ErrorCode::unknown_request);
}

// -- late subscribers ---------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_subscription_brings_the_window_again) {
  open(1);
  publish(step{}.delta(1, "a").delta(1, "b"));
  const auto sent = out->take_published();
  subscribe(1);
  const auto again = out->take_published();
  BOOST_REQUIRE(again.size() == 2u);
  BOOST_TEST((bytes_of(again[1]) == bytes_of(sent[1])));
  BOOST_TEST(again[1].address == sent[1].address);
  subscribe(2); // nobody's
  BOOST_TEST(out->take_published().empty());
  BOOST_TEST(credit->in_use() == 0u);
}

BOOST_AUTO_TEST_CASE(the_window_is_not_sent_for_every_subscription) {
  open(1);
  publish(step{}.delta(1, "a"));
  out->take_published();
  for (int i = 0; i < 5; ++i)
    subscribe(1);
  BOOST_TEST(out->take_published().size() == 1u);
  advance(99ms);
  BOOST_TEST(out->take_published().empty());
  advance(1ms); // once more for those who came too early
  BOOST_TEST(out->take_published().size() == 1u);
  advance(10s);
  BOOST_TEST(out->take_published().empty());
  subscribe(1);
  BOOST_TEST(out->take_published().size() == 1u);
}

// -- bounds -------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(windows_outlive_the_end_and_then_expire) {
  open(1);
  open(2, 90'000); // asks to be kept for longer
  publish(step{}.finished(1).finished(2));
  advance(29s);
  replay(1, 0);
  BOOST_TEST(out->take_control().size() == 2u);
  BOOST_TEST(journal.expired.empty());
  advance(1s);
  BOOST_TEST(journal.expired == numbers{1});
  replay(1, 0);
  BOOST_TEST(out->only_control().is<Gap>());
  for (int i = 0; i < 60; ++i)
    advance(1s);
  BOOST_TEST(journal.expired == (numbers{1, 2}));
  const auto report = ask<publisher_report>(publisher, report_atom::value);
  BOOST_TEST(report.window_bytes == 0u);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(publisher_bounds_suite)

BOOST_AUTO_TEST_CASE(what_has_left_the_window_is_an_explicit_gap) {
  publisher_fixture world{{.window_chunks = 3}};
  world.open(1);
  for (int i = 0; i < 10; ++i)
    world.publish(step{}.delta(1, std::to_string(i)));
  world.replay(1, 2);
  const auto sent = world.out->take_control();
  BOOST_REQUIRE(sent.size() == 5u);
  const auto gap = sent[0].as<Gap>();
  BOOST_TEST(gap->from_seq() == 2u);
  BOOST_TEST(gap->to_seq() == 7u);
  for (std::uint32_t i = 0; i < 3; ++i)
    BOOST_TEST(sent[i + 1].as<Chunk>()->seq() == 7 + i);
  BOOST_TEST(sent[4].as<Replayed>()->next_seq() == 10u);
  world.replay(1, 7); // nothing is missing from here
  BOOST_TEST(world.out->take_control().front().is<Chunk>());
  BOOST_TEST(world.journal.total(metric::gaps) == 1.0);
}

BOOST_AUTO_TEST_CASE(all_windows_together_are_bounded) {
  publisher_fixture world{{.windows_bytes = 50'000}};
  for (request_number request = 1; request <= 100; ++request) {
    world.open(request);
    world.publish(
        step{}.delta(request, std::string(1'000, 'x')).finished(request));
    const auto report =
        world.ask<publisher_report>(world.publisher, report_atom::value);
    BOOST_TEST(report.window_bytes <= 50'000u);
  }
  BOOST_REQUIRE(world.journal.expired.size() > 50u);
  for (std::size_t i = 0; i < world.journal.expired.size(); ++i)
    BOOST_TEST(world.journal.expired[i] == i + 1); // the oldest first
}

// Whatever order batcher and scheduler speak in: chunks without holes, one
// terminal, the right count and checksum.
BOOST_AUTO_TEST_CASE(every_stream_is_whole_under_random_input) {
  publisher_fixture world;
  std::mt19937 random{12345};
  constexpr request_number streams = 20;
  for (request_number request = 1; request <= streams; ++request)
    world.open(request);
  for (int i = 0; i < 400; ++i) {
    step next;
    for (int row = 0; row < 5; ++row) {
      const request_number request = random() % streams + 1;
      switch (random() % 24) {
      case 0:
        next.finished(request);
        break;
      case 1:
        next.failed(request);
        break;
      case 2:
        next.sequence_end(request);
        break;
      default:
        next.delta(request, std::string(random() % 50, 'y'));
      }
    }
    world.publish(next);
    if (i % 50 == 0)
      world.tell(cancel_atom::value, request_number{random() % streams + 1},
                 FinishReason::cancelled);
  }
  std::map<std::string, std::vector<recorded>> by_topic;
  for (const auto& one : world.out->published)
    by_topic[one.address].push_back(one);
  BOOST_TEST(by_topic.size() == streams);
  for (const auto& [topic, chunks] : by_topic) {
    for (std::size_t i = 0; i < chunks.size(); ++i) {
      const auto chunk = chunks[i].as<Chunk>();
      const auto* finished = chunk->body_as_Finished();
      const auto* failed = chunk->body_as_Failed();
      BOOST_TEST(chunk->seq() == i);
      BOOST_TEST((finished || failed) == (i + 1 == chunks.size()));
      if (!finished && !failed)
        continue;
      BOOST_TEST((finished ? finished->chunks() : failed->chunks()) == i + 1);
      BOOST_TEST((finished ? finished->checksum() : failed->checksum()) ==
                 crc_of(chunks, i));
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
