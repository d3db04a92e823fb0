// SPDX-License-Identifier: Apache-2.0
// Answers that are chosen among others, in a batcher and its page manager.
#include <cmath>
#include <map>
#include <random>

#include "tests/actors/lane_fixture.hpp"

using namespace sluice;
using namespace sluice::tests;

namespace {

/// Log-probabilities that the tokens before fix: the paper's own model.
std::vector<std::pair<float, std::uint32_t>>
choices_after(const std::vector<std::uint32_t>& before) {
  std::uint64_t seed = 1;
  for (const auto token : before)
    seed = seed * 6364136223846793005u + token + 1442695040888963407u;
  std::mt19937_64 dice{seed};
  std::vector<std::pair<float, std::uint32_t>> all;
  for (const std::uint32_t token : {eos, 40u, 41u, 42u, 43u, 44u, 45u, 46u})
    all.emplace_back(-0.5f * static_cast<float>(1 + dice() % 8), token);
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : a.second < b.second;
  });
  return all;
}

/// Answers plans as that model would, and notes who computed what where, so
/// that a page that is read holds what its sequence believes.
struct paper_lane : lane_fixture {
  using lane_fixture::lane_fixture;

  void answer_as_model() {
    const auto plan = log->plans.at(answered++);
    carry_out(*plan);
    messages::StepResultT result;
    result.number = plan->number();
    if (plan->rows())
      for (const auto* row : *plan->rows())
        result.rows.push_back(answer_row(*plan, *row));
    caf::anon_send(lane, messages::pack<messages::StepResult>(result));
    run();
  }

  void run_out() {
    while (waiting_plans() > 0 && answered < 5000)
      answer_as_model();
  }

private:
  struct sequence {
    std::vector<std::uint32_t> pages;
  };

  void carry_out(const messages::StepPlan& plan) {
    if (plan.left())
      for (const auto key : *plan.left())
        sequences_.erase(key);
    if (plan.joined())
      for (const auto* state : *plan.joined())
        sequences_[state->sequence()] = {};
    if (plan.pages())
      for (const auto* delta : *plan.pages()) {
        auto& own = sequences_[delta->sequence()].pages;
        own.resize(delta->first());
        own.insert(own.end(), delta->pages()->begin(), delta->pages()->end());
      }
    if (plan.copies())
      for (const auto* copy : *plan.copies())
        for (std::uint32_t i = 0; i < page_tokens; ++i)
          kv_[copy->to() * page_tokens + i] =
              kv_[copy->from() * page_tokens + i];
  }

  std::unique_ptr<messages::RowResultT>
  answer_row(const messages::StepPlan& p, const messages::PlanRow& row) {
    auto& own = sequences_.at(row.sequence()).pages;
    std::vector<std::uint32_t> given;
    if (row.tokens() && row.tokens()->size() > 0)
      given.assign(row.tokens()->begin(), row.tokens()->end());
    else
      given = {sampled_.at({row.from_plan(), row.from_row()})};
    for (std::uint32_t i = 0; i < given.size(); ++i)
      kv_[slot(own, row.start() + i)] = given[i];
    const auto end = row.start() + static_cast<std::uint32_t>(given.size());
    auto result = std::make_unique<messages::RowResultT>();
    if (row.sample_from() >= given.size())
      return result;
    std::vector<std::uint32_t> before;
    for (std::uint32_t i = 0; i < end; ++i)
      before.push_back(kv_.at(slot(own, i)));
    const auto choices = choices_after(before);
    const auto place = static_cast<std::uint32_t>(
        std::find(p.rows()->begin(), p.rows()->end(), &row) -
        p.rows()->begin());
    result->tokens = {choices.front().second};
    sampled_[{p.number(), place}] = result->tokens[0];
    result->logprobs.push_back(std::make_unique<messages::TokenLogprobT>());
    auto& odds = *result->logprobs.back();
    odds.token = choices.front().second;
    odds.raw_logprob = choices.front().first;
    for (const auto& [logprob, token] : choices) {
      odds.top.push_back(std::make_unique<messages::TopLogprobT>());
      odds.top.back()->token = token;
      odds.top.back()->logprob = logprob;
    }
    return result;
  }

  static std::uint64_t slot(const std::vector<std::uint32_t>& pages,
                            std::uint32_t position) {
    return std::uint64_t{pages.at(position / page_tokens)} * page_tokens +
           position % page_tokens;
  }

  std::map<std::uint64_t, sequence> sequences_;
  std::map<std::uint64_t, std::uint32_t> kv_; // token by place in the store
  std::map<std::pair<std::uint64_t, std::uint32_t>, std::uint32_t> sampled_;
};

messages::WorkT beams_of(request_number request, std::uint32_t prompt,
                         std::uint32_t most, std::uint32_t width) {
  auto work = work_of(request, prompt, most);
  work.n = width;
  work.beam = std::make_unique<messages::BeamSearchT>();
  work.beam->width = width;
  work.stopping->stop_tokens = {eos};
  return work;
}

struct outcome {
  std::vector<std::string> text; // by sequence
  std::vector<double> scores;
  std::uint32_t generated = 0;
  std::uint32_t preemptions = 0;
  std::uint32_t candidates = 0;
  FinishReason reason = FinishReason::none;
};

outcome outcome_of(const heard& log, request_number request) {
  outcome found;
  for (const auto& step : log.tokens) {
    if (step->deltas())
      for (const auto* each : *step->deltas())
        if (each->request() == request) {
          found.text.resize(std::max<std::size_t>(
              found.text.size(), each->delta()->sequence() + 1));
          if (each->delta()->tokens())
            for (const auto token : *each->delta()->tokens())
              found.text[each->delta()->sequence()] +=
                  ' ' + std::to_string(token);
        }
    if (step->ends())
      for (const auto* each : *step->ends())
        if (each->request() == request)
          found.scores.push_back(each->end()->score());
    if (step->finished())
      for (const auto* each : *step->finished())
        if (each->request() == request) {
          found.reason = each->reason();
          found.generated = each->receipt()->generated_tokens();
          found.preemptions = each->receipt()->preemptions();
          found.candidates = each->receipt()->candidates();
        }
  }
  return found;
}

/// What the rules give with that model, without a lane.
outcome searched(const messages::WorkT& work) {
  policy::beam_search search{
      {.width = work.beam->width, .most_tokens = work.stopping->max_tokens}};
  const auto& stops = work.stopping->stop_tokens;
  std::vector<std::vector<std::uint32_t>> beams{work.prompt};
  std::map<std::uint64_t, std::vector<std::uint32_t>> complete;
  while (!search.done()) {
    std::vector<std::vector<policy::beam_choice>> choices;
    for (const auto& beam : beams) {
      choices.emplace_back();
      for (const auto& [logprob, token] : choices_after(beam))
        choices.back().push_back({token, logprob});
    }
    const auto round = search.advance(choices, [&](auto, std::uint32_t token) {
      return std::count(stops.begin(), stops.end(), token) > 0;
    });
    const auto grown = [&](const policy::beam_step& step) {
      auto longer = beams[step.parent];
      longer.push_back(step.token);
      return longer;
    };
    for (const auto& end : round.ended)
      complete[end.id] = grown(end.last);
    std::vector<std::vector<std::uint32_t>> next;
    for (const auto& step : round.running)
      next.push_back(grown(step));
    beams = std::move(next);
  }
  outcome found;
  for (const auto& [id, score] : search.best()) {
    found.scores.push_back(score);
    found.text.emplace_back();
    const auto& tokens = complete.at(id);
    for (auto i = work.prompt.size(); i < tokens.size(); ++i)
      found.text.back() += ' ' + std::to_string(tokens[i]);
  }
  return found;
}

} // namespace

BOOST_AUTO_TEST_SUITE(choices_among_answers)

BOOST_FIXTURE_TEST_CASE(beams_give_what_the_rules_give, paper_lane) {
  for (request_number i = 1; i <= 20; ++i) {
    const auto work = beams_of(i, 3 + i, 12, 1 + i % 4);
    admit(beams_of(i, 3 + i, 12, 1 + i % 4));
    run_out();
    const auto found = outcome_of(*log, i);
    const auto expected = searched(work);
    BOOST_TEST(found.text == expected.text, boost::test_tools::per_element());
    BOOST_TEST(found.scores == expected.scores,
               boost::test_tools::per_element());
    BOOST_TEST(found.candidates == 1u + i % 4);
    BOOST_TEST(found.generated > 0u);
    BOOST_TEST(unused_pages() == pool_pages);
  }
}

BOOST_FIXTURE_TEST_CASE(beams_share_the_pages_of_what_they_have_in_common,
                        paper_lane) {
  auto work = beams_of(1, 41, 30, 4); // five pages and one position
  work.stopping->stop_tokens.clear();
  admit(std::move(work));
  std::uint32_t most = 0;
  for (int i = 0; i < 10; ++i) {
    answer_as_model();
    most = std::max(most, ledger().active);
  }
  BOOST_TEST(most > 5u);
  BOOST_TEST(most <= 5u + 4u * 2u); // less than a page of tokens each
  run_out();
  BOOST_TEST(unused_pages() == pool_pages);
}

BOOST_FIXTURE_TEST_CASE(nothing_of_beams_is_seen_before_the_end, paper_lane) {
  auto work = beams_of(1, 5, 8, 3);
  work.stopping->stop_tokens.clear();
  work.echo = "x";
  admit(std::move(work));
  for (int i = 0; i < 5; ++i)
    answer_as_model();
  BOOST_TEST(log->tokens.empty());
  run_out();
  const auto found = outcome_of(*log, 1);
  BOOST_TEST(found.text.size() == 3u);
  BOOST_TEST((found.reason == FinishReason::length));
  BOOST_TEST(text_of(1).substr(0, 1) == "x");
}

BOOST_FIXTURE_TEST_CASE(a_cancelled_search_publishes_nothing, paper_lane) {
  auto work = beams_of(1, 5, 30, 3);
  work.stopping->stop_tokens.clear();
  admit(std::move(work));
  for (int i = 0; i < 6; ++i)
    answer_as_model();
  stop(1, FinishReason::cancelled);
  run_out();
  const auto found = outcome_of(*log, 1);
  BOOST_TEST(found.text.empty());
  BOOST_TEST((found.reason == FinishReason::cancelled));
  BOOST_TEST(unused_pages() == pool_pages);
}

BOOST_AUTO_TEST_CASE(beams_that_gave_way_find_the_same) {
  std::uint32_t preemptions = 0;
  for (std::uint32_t round = 0; round < 40; ++round) {
    // The prompt's page once and three for each fit, with nobody else.
    paper_lane lane{lane_shape{.pool_pages = 11 + round % 4,
                               .host_slots = round % 3 == 0 ? 6u : 0u,
                               .prefix_cache = round % 2 == 0}};
    std::map<request_number, messages::WorkT> works;
    for (request_number i = 1; i <= 4; ++i) {
      auto make = [&] {
        auto work = beams_of(i, 9 + (round + i) % 5, 14, 2 + (round + i) % 2);
        work.stopping->stop_tokens.clear();
        return work;
      };
      works[i] = make();
      lane.admit(make());
    }
    lane.run_out();
    for (const auto& [request, work] : works) {
      const auto found = outcome_of(*lane.log, request);
      BOOST_TEST(found.text == searched(work).text,
                 boost::test_tools::per_element());
      preemptions += found.preemptions;
    }
    BOOST_TEST(lane.ledger().active == 0u);
    BOOST_TEST(lane.unused_pages() == 11 + round % 4);
  }
  BOOST_TEST(preemptions > 40u);
}

BOOST_FIXTURE_TEST_CASE(the_likeliest_candidates_are_published, lane_fixture) {
  auto work = work_of(1, 5, 2);
  work.n = 2;
  work.best_of = 3;
  admit(std::move(work));
  // By sequence: -3, -1 and -2 for each token.
  const float logprobs[] = {-3, -1, -2};
  while (waiting_plans() > 0) {
    const auto plan = log->plans.at(answered++);
    messages::StepResultT result;
    result.number = plan->number();
    for (const auto* row : *plan->rows()) {
      result.rows.push_back(std::make_unique<messages::RowResultT>());
      const auto index = index_of(row->sequence());
      result.rows.back()->tokens = {40 + index};
      result.rows.back()->logprobs.push_back(
          std::make_unique<messages::TokenLogprobT>());
      result.rows.back()->logprobs.back()->raw_logprob = logprobs[index];
    }
    caf::anon_send(lane, messages::pack<messages::StepResult>(result));
    run();
    if (waiting_plans() > 0)
      BOOST_TEST(log->tokens.empty());
  }
  const auto found = outcome_of(*log, 1);
  BOOST_TEST(found.text == (std::vector<std::string>{" 41 41", " 42 42"}),
             boost::test_tools::per_element());
  BOOST_TEST(found.scores == (std::vector<double>{-1, -2}),
             boost::test_tools::per_element());
  BOOST_TEST(found.generated == 6u);
  BOOST_TEST(found.candidates == 3u);
  BOOST_TEST(unused_pages() == pool_pages);
}

BOOST_FIXTURE_TEST_CASE(rows_without_choices_fail_the_search, lane_fixture) {
  admit(beams_of(1, 5, 4, 2));
  answer(40);
  BOOST_REQUIRE_EQUAL(log->outcomes.size(), 1u);
  BOOST_TEST(log->outcomes[0]->code() == ErrorCode::executor_failed);
  BOOST_TEST(unused_pages() == pool_pages);
}

BOOST_AUTO_TEST_SUITE_END()
