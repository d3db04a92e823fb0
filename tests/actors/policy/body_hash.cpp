// SPDX-License-Identifier: Apache-2.0
#include "actors/policy/body_hash.hpp"

#include <functional>
#include <memory>
#include <set>

#include <boost/test/unit_test.hpp>

#include "messages/frame.hpp"

namespace {

using namespace sluice::messages;
using sluice::policy::body_hash;
using sluice::policy::hash_body;

SubmitT sample() {
  SubmitT body;
  body.id = std::make_unique<RequestId>(1, 2);
  body.tenant = "acme";
  body.prompt = "3 Muttern zu 1.200,50 EUR";
  body.sampling = std::make_unique<SamplingT>();
  body.stopping = std::make_unique<StopRulesT>();
  return body;
}

body_hash hash_of(const SubmitT& body) {
  return hash_body(*pack<Submit>(body));
}

BOOST_AUTO_TEST_SUITE(body_hash_suite)

BOOST_AUTO_TEST_CASE(absent_tables_mean_defaults) {
  auto bare = sample();
  bare.sampling.reset();
  bare.stopping.reset();
  BOOST_TEST((hash_of(bare) == hash_of(sample())));
}

BOOST_AUTO_TEST_CASE(the_layout_of_the_bytes_does_not_matter) {
  // The same request, built in another order than the object form takes.
  flatbuffers::FlatBufferBuilder builder;
  const RequestId id{1, 2};
  const auto stopping = CreateStopRules(builder);
  const auto prompt = builder.CreateString(sample().prompt);
  const auto sampling = CreateSampling(builder);
  const auto tenant = builder.CreateString("acme");
  SubmitBuilder submit{builder};
  submit.add_tenant(tenant);
  submit.add_id(&id);
  submit.add_sampling(sampling);
  submit.add_prompt(prompt);
  submit.add_stopping(stopping);
  builder.Finish(submit.Finish(), message_traits<Submit>::identifier);
  const auto other = frame<Submit>::adopt(builder.Release());
  const auto usual = pack<Submit>(sample());
  const auto a = other.bytes();
  const auto b = usual.bytes();
  BOOST_TEST(!std::equal(a.begin(), a.end(), b.begin(), b.end()));
  BOOST_TEST((hash_body(*other) == hash_body(*usual)));
}

BOOST_AUTO_TEST_CASE(every_change_of_meaning_changes_the_hash) {
  const std::function<void(SubmitT&)> changes[] = {
      [](SubmitT&) {},
      [](SubmitT& b) { b.tenant = "acmf"; },
      [](SubmitT& b) { b.prompt += " "; },
      [](SubmitT& b) { b.model = "pebble"; },
      [](SubmitT& b) { b.n = 2; },
      [](SubmitT& b) { b.priority = 1; },
      [](SubmitT& b) { b.deadline_ms = 1; },
      [](SubmitT& b) { b.on_disconnect = OnDisconnect::continue_running; },
      [](SubmitT& b) { b.sampling->temperature = 0; },
      [](SubmitT& b) { b.sampling->seed = 0; },
      [](SubmitT& b) { b.sampling->seed = 1; },
      [](SubmitT& b) { b.stopping->max_tokens = 1; },
      [](SubmitT& b) { b.stopping->stop = {"ab"}; },
      [](SubmitT& b) {
        b.stopping->stop = {"a", "b"};
      },
      [](SubmitT& b) {
        b.prompt_tokens = {1, 2};
      },
      [](SubmitT& b) {
        b.prompt_tokens = {2, 1};
      },
  };
  std::set<body_hash> seen;
  for (const auto& change : changes) {
    auto body = sample();
    change(body);
    BOOST_TEST(seen.insert(hash_of(body)).second);
  }
  BOOST_TEST(seen.size() == std::size(changes));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
