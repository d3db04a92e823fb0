// SPDX-License-Identifier: Apache-2.0
#include "actors/gateway.hpp"

#include <boost/test/unit_test.hpp>

#include "actors/metric_names.hpp"
#include "tests/actors/gateway_fixture.hpp"
#include "tests/support/printing.hpp"

namespace {

using namespace std::chrono_literals;
using namespace sluice::actors;
using namespace sluice::messages;
using namespace sluice::tests;

using numbers = std::vector<request_number>;

HelloT greeting(std::uint32_t oldest, std::uint32_t newest,
                std::uint32_t lease_ms = 0) {
  HelloT words;
  words.protocol = newest;
  words.oldest_protocol = oldest;
  words.lease_ms = lease_ms;
  return words;
}

BOOST_FIXTURE_TEST_SUITE(gateway_suite, gateway_fixture)

// -- versions -----------------------------------------------------------------

BOOST_AUTO_TEST_CASE(hello_tells_what_a_client_needs) {
  from("a", pack<Hello>(greeting(1, 5, 10'000)));
  const auto answer = out->only_control();
  BOOST_TEST(answer.address == "a");
  const auto words = answer.as<Hello>();
  BOOST_TEST(words->protocol() == 1u);
  BOOST_TEST(words->epoch() == 99u);
  BOOST_TEST(words->stream_endpoint()->str() == "ipc:///somewhere");
  BOOST_TEST(words->lease_ms() == 10'000u);
  BOOST_TEST(words->models()->Get(0)->str() == "pebble");
}

BOOST_AUTO_TEST_CASE(versions_that_do_not_meet_are_refused) {
  from("a", pack<Hello>(greeting(2, 3)));
  const auto refused = out->only_control().as<Refused>();
  BOOST_TEST(refused->code() == ErrorCode::unsupported_protocol);
  BOOST_TEST(refused->text()->str().find("Upgrade") != std::string::npos);
}

// -- submission ---------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_fresh_request_is_accepted_when_the_scheduler_says_so) {
  submit("a", submission(1));
  BOOST_TEST(out->take_control().empty()); // not yet
  BOOST_TEST(journal.opened.size() == 1u);
  BOOST_TEST(journal.opened[0].submitted->id()->low() == 1u);
  BOOST_TEST((journal.prepared == numbers{journal.opened[0].request}));
  tell(accept_atom::value, journal.prepared[0]);
  const auto answer = out->only_control();
  BOOST_TEST(answer.address == "a");
  const auto accepted = answer.as<Accepted>();
  BOOST_TEST(accepted->id()->low() == 1u);
  BOOST_TEST(accepted->epoch() == 99u);
  BOOST_TEST(!accepted->attached());
  BOOST_TEST(accepted->next_seq() == 0u);
}

BOOST_AUTO_TEST_CASE(who_waits_for_all_answers_is_told) {
  const auto is_at_end = [this](std::uint64_t id, auto change) {
    auto request = submission(id);
    change(request);
    submit("a", request);
    tell(accept_atom::value, journal.prepared.back());
    return out->only_control().as<Accepted>()->at_end();
  };
  BOOST_TEST(!is_at_end(1, [](auto& s) { s.n = s.best_of = 2; }));
  BOOST_TEST(is_at_end(2, [](auto& s) { s.best_of = 2; }));
  BOOST_TEST(is_at_end(3, [](auto& s) {
    s.beam = std::make_unique<BeamSearchT>();
    s.beam->width = 1;
  }));
}

BOOST_AUTO_TEST_CASE(a_refused_request_is_forgotten) {
  submit("a", submission(1));
  const auto request = journal.prepared.at(0);
  tell(reject_atom::value, request, ErrorCode::queue_full,
       std::string{"4096 wait"}, std::uint32_t{250});
  const auto rejected = out->only_control().as<Rejected>();
  BOOST_TEST(rejected->code() == ErrorCode::queue_full);
  BOOST_TEST(rejected->text()->str() == "4096 wait");
  BOOST_TEST(rejected->retry_after_ms() == 250u);
  BOOST_TEST(journal.discarded == numbers{request});
  submit("a", submission(1)); // the id is free again
  BOOST_TEST(journal.prepared.size() == 2u);
}

BOOST_AUTO_TEST_CASE(a_known_body_attaches_and_never_runs_twice) {
  open("a", 1);
  journal.stream_length = 17;
  submit("b", submission(1));
  const auto answer = out->only_control();
  BOOST_TEST(answer.address == "b");
  const auto accepted = answer.as<Accepted>();
  BOOST_TEST(accepted->attached());
  BOOST_TEST(accepted->next_seq() == 17u);
  BOOST_TEST(journal.prepared.size() == 1u);
  BOOST_TEST(journal.opened.size() == 1u);
}

BOOST_AUTO_TEST_CASE(
    while_it_is_prepared_the_one_answer_goes_to_the_new_owner) {
  submit("a", submission(1));
  submit("b", submission(1));
  BOOST_TEST(out->take_control().empty());
  tell(accept_atom::value, journal.prepared.at(0));
  const auto answer = out->only_control();
  BOOST_TEST(answer.address == "b");
  BOOST_TEST(answer.as<Accepted>()->attached());
}

BOOST_AUTO_TEST_CASE(a_known_id_with_another_body_conflicts) {
  open("a", 1);
  auto other = submission(1);
  other.prompt += "!";
  submit("a", other);
  BOOST_TEST(out->only_control().as<Rejected>()->code() ==
             ErrorCode::id_conflict);
  other.tenant = "another"; // ids are scoped by tenant
  submit("a", other);
  BOOST_TEST(out->take_control().empty());
  BOOST_TEST(journal.prepared.size() == 2u);
}

BOOST_AUTO_TEST_CASE(an_expired_id_is_fresh_again) {
  const auto request = open("a", 1);
  tell(ended_atom::value, request);
  submit("a", submission(1));
  BOOST_TEST(out->only_control().as<Accepted>()->attached());
  tell(expired_atom::value, request);
  submit("a", submission(1));
  BOOST_TEST(journal.prepared.size() == 2u);
  BOOST_TEST(journal.prepared[1] > request);
}

BOOST_AUTO_TEST_CASE(open_requests_of_a_client_are_bounded) {
  const auto first = open("a", 1);
  open("a", 2);
  open("a", 3);
  submit("a", submission(4));
  const auto rejected = out->only_control().as<Rejected>();
  BOOST_TEST(rejected->code() == ErrorCode::too_many_requests);
  BOOST_TEST(rejected->retry_after_ms() > 0u);
  open("b", 5); // others are not concerned
  submit("a", submission(5));
  BOOST_TEST(out->only_control().as<Rejected>()->code() ==
             ErrorCode::too_many_requests); // nor can it take over more
  tell(ended_atom::value, first);
  submit("a", submission(6));
  BOOST_TEST(out->take_control().empty());
  BOOST_TEST(journal.total(metric::rejected) == 2.0);
}

BOOST_AUTO_TEST_CASE(a_draining_daemon_takes_nothing_new) {
  open("a", 1);
  tell(drain_atom::value);
  submit("a", submission(2));
  BOOST_TEST(out->only_control().as<Rejected>()->code() == ErrorCode::draining);
  submit("b", submission(1)); // what runs can still be attached to
  BOOST_TEST(out->only_control().as<Accepted>()->attached());
}

// -- cancellation -------------------------------------------------------------

BOOST_AUTO_TEST_CASE(cancel_reaches_the_scheduler_and_says_if_it_was_found) {
  from("a", about<Cancel>(1));
  BOOST_TEST(!out->only_control().as<Cancelled>()->found());
  const auto request = open("a", 1);
  from("b", about<Cancel>(1)); // any session of the tenant may
  const auto answer = out->only_control();
  BOOST_TEST(answer.address == "b");
  BOOST_TEST(answer.as<Cancelled>()->found());
  BOOST_TEST(journal.cancelled.size() == 1u);
  BOOST_TEST(journal.cancelled.at(0).request == request);
  BOOST_TEST(journal.cancelled.at(0).reason == FinishReason::cancelled);
  tell(ended_atom::value, request);
  from("a", about<Cancel>(1));
  BOOST_TEST(!out->only_control().as<Cancelled>()->found());
  BOOST_TEST(journal.cancelled.size() == 1u);
}

BOOST_AUTO_TEST_CASE(cancel_waits_until_the_scheduler_knows_the_request) {
  submit("a", submission(1));
  from("a", about<Cancel>(1));
  BOOST_TEST(out->only_control().as<Cancelled>()->found());
  BOOST_TEST(journal.cancelled.empty());
  tell(accept_atom::value, journal.prepared.at(0));
  BOOST_TEST(journal.cancelled.size() == 1u);
}

// -- clients that vanish ------------------------------------------------------

BOOST_AUTO_TEST_CASE(requests_of_a_vanished_client_end_as_they_asked) {
  const auto ending = open("a", 1);
  open("a", 2, OnDisconnect::continue_running);
  open("b", 3);
  tell(vanish_atom::value, session_id{"a"});
  BOOST_TEST(journal.cancelled.size() == 1u);
  BOOST_TEST(journal.cancelled.at(0).request == ending);
  BOOST_TEST(journal.cancelled.at(0).reason == FinishReason::disconnected);
  tell(vanish_atom::value, session_id{"a"}); // again: nothing is left
  tell(vanish_atom::value, session_id{"nobody"});
  BOOST_TEST(journal.cancelled.size() == 1u);
  BOOST_TEST(journal.total(metric::vanished) == 1.0);
}

BOOST_AUTO_TEST_CASE(a_request_that_changed_hands_outlives_its_first_owner) {
  const auto request = open("a", 1);
  submit("b", submission(1));
  tell(vanish_atom::value, session_id{"a"});
  BOOST_TEST(journal.cancelled.empty());
  tell(vanish_atom::value, session_id{"b"});
  BOOST_TEST(journal.cancelled.at(0).request == request);
}

BOOST_AUTO_TEST_CASE(a_client_that_vanishes_during_preparation) {
  submit("a", submission(1));
  tell(vanish_atom::value, session_id{"a"});
  tell(accept_atom::value, journal.prepared.at(0));
  BOOST_TEST(out->take_control().empty()); // nobody is there to answer
  BOOST_TEST(journal.cancelled.at(0).reason == FinishReason::disconnected);
}

BOOST_AUTO_TEST_CASE(connections_with_open_requests_are_probed) {
  from("idle", pack<Lease>({}));
  const auto request = open("busy", 1);
  advance(500ms);
  const auto probe = out->only_control();
  BOOST_TEST(probe.address == "busy");
  BOOST_TEST(probe.is<Lease>());
  advance(500ms);
  BOOST_TEST(out->take_control().size() == 1u);
  tell(ended_atom::value, request);
  advance(500ms);
  BOOST_TEST(out->take_control().empty());
}

BOOST_AUTO_TEST_CASE(an_unrenewed_lease_is_a_vanished_client) {
  from("a", pack<Hello>(greeting(1, 1, 2'000)));
  open("a", 1);
  for (int i = 0; i < 3; ++i) {
    advance(1'500ms);
    from("a", pack<Lease>({})); // any frame does
  }
  BOOST_TEST(journal.cancelled.empty());
  advance(1'500ms);
  BOOST_TEST(journal.cancelled.empty());
  advance(500ms);
  BOOST_TEST(journal.cancelled.size() == 1u);
}

// -- replay and questions -----------------------------------------------------

BOOST_AUTO_TEST_CASE(replay_is_the_publishers_work_if_the_id_is_known) {
  const auto request = open("a", 1);
  ReplayT what;
  what.id = std::make_unique<RequestId>(wire_id(1));
  what.tenant = "acme";
  what.from_seq = 5;
  from("b", pack<Replay>(what));
  BOOST_TEST(journal.replays.size() == 1u);
  BOOST_TEST(journal.replays.at(0).to == "b");
  BOOST_TEST(journal.replays.at(0).request == request);
  BOOST_TEST(journal.replays.at(0).from_seq == 5u);
  what.tenant = "another"; // may not see it
  from("b", pack<Replay>(what));
  const auto gap = out->only_control().as<Gap>();
  BOOST_TEST(gap->code() == ErrorCode::unknown_request);
  BOOST_TEST(gap->from_seq() == 5u);
  BOOST_TEST(gap->to_seq() == 0u);
  BOOST_TEST(journal.replays.size() == 1u);
}

BOOST_AUTO_TEST_CASE(questions_are_answered_with_their_number) {
  const auto ask_for = [this](QueryKind kind) {
    QueryT question;
    question.correlation = 1234;
    question.kind = kind;
    from("a", pack<Query>(question));
    return out->only_control();
  };
  const auto health = ask_for(QueryKind::health).as<Health>();
  BOOST_TEST(health->correlation() == 1234u);
  BOOST_TEST((health->state() == HealthState::ready));
  BOOST_TEST(health->running() == 3u);
  BOOST_TEST(health->version()->str() == "1.2.3");
  const auto stats = ask_for(QueryKind::stats).as<Stats>();
  BOOST_TEST(stats->correlation() == 1234u);
  BOOST_TEST(stats->metrics()->Get(0)->value() == 42.0);
  const auto models = ask_for(QueryKind::models).as<Models>();
  BOOST_TEST(models->correlation() == 1234u);
  BOOST_TEST(models->models()->Get(0)->name()->str() == "pebble");
}

// -- robustness ---------------------------------------------------------------

BOOST_AUTO_TEST_CASE(every_frame_gives_its_credit_back) {
  from("a", pack<Hello>(greeting(1, 1)));
  from("a", pack<Hello>(greeting(9, 9)));
  from("a", pack<Submit>(submission(1)));
  from("a", about<Cancel>(2));
  from("a", about<Replay>(3));
  from("a", pack<Query>({}));
  from("a", pack<Lease>({}));
  CreditT grant;
  grant.id = std::make_unique<RequestId>(wire_id(1));
  from("a", pack<Credit>(grant));
  BOOST_TEST(credit->in_use() == 0u);
}

BOOST_AUTO_TEST_CASE(a_handler_that_throws_tells_its_client_and_goes_on) {
  out->throw_once = true;
  from("a", about<Cancel>(1));
  BOOST_TEST(out->only_control().as<Refused>()->code() == ErrorCode::internal);
  open("a", 1);
  out->throw_once = true;
  auto other = submission(1);
  other.n = 2;
  submit("a", other); // the conflict cannot be said at first
  BOOST_TEST(out->only_control().as<Rejected>()->code() == ErrorCode::internal);
  BOOST_TEST(credit->in_use() == 0u);
  open("a", 2); // it lives
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(gateway_bounds_suite)

BOOST_AUTO_TEST_CASE(requests_in_preparation_are_bounded) {
  auto config = gateway_fixture::settings();
  config.preparing = 2;
  gateway_fixture world{config};
  world.submit("a", submission(1));
  world.submit("b", submission(2));
  world.submit("c", submission(3));
  BOOST_TEST(world.out->only_control().as<Rejected>()->code() ==
             ErrorCode::queue_full);
  world.tell(accept_atom::value, world.journal.prepared.at(0));
  world.out->take_control();
  world.submit("c", submission(3));
  BOOST_TEST(world.out->take_control().empty());
}

BOOST_AUTO_TEST_CASE(clients_are_bounded) {
  auto config = gateway_fixture::settings();
  config.sessions = 2;
  gateway_fixture world{config};
  world.open("a", 1);
  world.open("b", 2);
  world.from("c", pack<Hello>(greeting(1, 1)));
  const auto refused = world.out->only_control();
  BOOST_TEST(refused.address == "c");
  BOOST_TEST(refused.as<Refused>()->code() == ErrorCode::too_many_requests);
  BOOST_TEST(world.credit->in_use() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
