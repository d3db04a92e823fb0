// SPDX-License-Identifier: Apache-2.0
#include "actors/policy/beam_search.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>

#include "kernels/check.hpp"

using namespace sluice;
using namespace sluice::policy;
using messages::EarlyStopping;

namespace {

using tokens = std::vector<std::uint32_t>;
constexpr std::uint32_t end_token = 0;

/// Log-probabilities of the next token, fixed by the tokens before it. Few
/// different ones, so that sums are often equal.
std::vector<float> logprobs_after(const tokens& before, std::uint32_t vocab,
                                  std::uint64_t seed) {
  for (const auto token : before)
    seed = seed * 6364136223846793005u + token + 1442695040888963407u;
  std::mt19937_64 dice{seed};
  std::vector<float> result;
  for (std::uint32_t t = 0; t < vocab; ++t)
    result.push_back(-0.25f * static_cast<float>(1 + dice() % 9));
  return result;
}

struct answer {
  tokens text;
  double score = 0;
  bool operator==(const answer&) const = default;
};
std::ostream& operator<<(std::ostream& to, const answer& a) {
  for (const auto token : a.text)
    to << token << ' ';
  return to << "(" << a.score << ")";
}

struct problem {
  beam_rules rules;
  std::uint32_t vocab = 3;
  std::uint64_t seed = 1;
  std::uint32_t min_tokens = 0; // of which none ends an answer
  std::uint32_t listed = 1000;  // choices per beam
};

bool ends_answer(const problem& p, std::size_t length, std::uint32_t token) {
  return token == end_token && length > p.min_tokens;
}

std::vector<beam_choice> choices_after(const problem& p, const tokens& before) {
  const auto logprobs = logprobs_after(before, p.vocab, p.seed);
  std::vector<beam_choice> choices;
  for (std::uint32_t t = 0; t < p.vocab; ++t)
    choices.push_back({t, logprobs[t]});
  std::stable_sort(choices.begin(), choices.end(),
                   [](auto& a, auto& b) { return a.logprob > b.logprob; });
  choices.resize(std::min<std::size_t>(choices.size(), p.listed));
  return choices;
}

/// The search, driven as a batcher drives it.
std::vector<answer> searched(const problem& p) {
  beam_search search{p.rules};
  std::vector<tokens> beams{{}};
  std::map<std::uint64_t, tokens> complete;
  while (!search.done()) {
    std::vector<std::vector<beam_choice>> choices;
    for (const auto& beam : beams)
      choices.push_back(choices_after(p, beam));
    const auto round = search.advance(choices, [&](auto parent, auto token) {
      return ends_answer(p, beams[parent].size() + 1, token);
    });
    const auto grown = [&](const beam_step& step) {
      auto text = beams[step.parent];
      text.push_back(step.token);
      return text;
    };
    for (const auto& each : round.ended)
      complete[each.id] = grown(each.last);
    std::vector<tokens> next;
    for (const auto& step : round.running)
      next.push_back(grown(step));
    beams = std::move(next);
  }
  std::vector<answer> best;
  for (const auto& [id, score] : search.best())
    best.push_back({complete.at(id), score});
  return best;
}

/// The rules once more, as plainly as can be: every beam with its text, every
/// token of the vocabulary, one sort.
std::vector<answer> searched_plainly(const problem& p) {
  struct beam {
    tokens text;
    double sum;
    std::size_t place; // among the beams before
  };
  const auto lp = p.rules.length_penalty;
  const auto score = [&](double sum, double length) {
    return sum / std::pow(length, lp);
  };
  std::vector<beam> beams{{{}, 0.0, 0}};
  std::vector<answer> best;
  const auto keep = [&](const beam& b) {
    best.push_back({b.text, score(b.sum, static_cast<double>(b.text.size()))});
    std::stable_sort(best.begin(), best.end(),
                     [](auto& x, auto& y) { return x.score > y.score; });
    best.resize(std::min<std::size_t>(best.size(), p.rules.width));
  };
  for (std::uint32_t length = 1; length <= p.rules.most_tokens; ++length) {
    std::vector<beam> all;
    for (std::size_t i = 0; i < beams.size(); ++i) {
      const auto logprobs = logprobs_after(beams[i].text, p.vocab, p.seed);
      for (std::uint32_t t = 0; t < p.vocab; ++t) {
        all.push_back({beams[i].text, beams[i].sum + logprobs[t], i});
        all.back().text.push_back(t);
      }
    }
    // Already by place, then token.
    std::stable_sort(all.begin(), all.end(),
                     [](auto& a, auto& b) { return a.sum > b.sum; });
    beams.clear();
    for (std::size_t rank = 0; rank < all.size(); ++rank) {
      const bool end = ends_answer(p, length, all[rank].text.back());
      if (end && rank < p.rules.width)
        keep(all[rank]);
      if (!end && beams.size() < p.rules.width)
        beams.push_back(all[rank]);
    }
    if (beams.empty())
      return best;
    if (best.size() == p.rules.width) {
      const bool longest =
          p.rules.early_stopping == EarlyStopping::never && lp > 0;
      const double at = longest ? p.rules.most_tokens : length;
      if (p.rules.early_stopping == EarlyStopping::first ||
          best.back().score >= score(beams.front().sum, at))
        return best;
    }
  }
  for (const auto& b : beams)
    keep(b);
  return best;
}

/// Every answer that there is.
void all_answers(const problem& p, const tokens& text, double sum,
                 std::vector<answer>& found) {
  const auto logprobs = logprobs_after(text, p.vocab, p.seed);
  for (std::uint32_t t = 0; t < p.vocab; ++t) {
    auto longer = text;
    longer.push_back(t);
    const auto total = sum + logprobs[t];
    const auto length = static_cast<std::uint32_t>(longer.size());
    if (ends_answer(p, length, t) || length == p.rules.most_tokens)
      found.push_back(
          {longer, total / std::pow(length, p.rules.length_penalty)});
    else
      all_answers(p, longer, total, found);
  }
}

std::vector<double> scores_of(const std::vector<answer>& answers) {
  std::vector<double> scores;
  for (const auto& each : answers)
    scores.push_back(each.score);
  return scores;
}

beam_round one_round(beam_search& search,
                     const std::vector<std::vector<beam_choice>>& choices,
                     const tokens& ending = {}) {
  return search.advance(choices, [&](auto, auto token) {
    return std::count(ending.begin(), ending.end(), token) > 0;
  });
}

std::vector<std::pair<std::uint32_t, std::uint32_t>>
steps_of(const std::vector<beam_step>& running) {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> steps;
  for (const auto& step : running)
    steps.emplace_back(step.parent, step.token);
  return steps;
}

} // namespace

BOOST_AUTO_TEST_SUITE(beam_search_suite)

BOOST_AUTO_TEST_CASE(equal_sums_go_by_beam_then_token) {
  beam_search search{{.width = 2, .most_tokens = 5}};
  auto round = one_round(search, {{{9, -1}, {4, -1}, {5, -1}}});
  const std::vector<std::pair<std::uint32_t, std::uint32_t>> first{{0, 4},
                                                                   {0, 5}};
  BOOST_TEST((steps_of(round.running) == first));
  round = one_round(search, {{{8, -2}, {3, -3}}, {{1, -2}, {2, -2}}});
  const std::vector<std::pair<std::uint32_t, std::uint32_t>> second{{0, 8},
                                                                    {1, 1}};
  BOOST_TEST((steps_of(round.running) == second));
  BOOST_TEST(search.tokens() == 2u);
}

BOOST_AUTO_TEST_CASE(only_ends_among_the_first_are_complete) {
  beam_search search{{.width = 2, .most_tokens = 5}};
  const auto round = one_round(
      search, {{{7, -1}, {8, -2}, {9, -3}, {5, -4}, {4, -5}}}, {8, 9});
  BOOST_REQUIRE_EQUAL(round.ended.size(), 1u); // 9 is third of all
  BOOST_TEST(round.ended[0].last.token == 8u);
  BOOST_TEST(round.running.size() == 2u);
  BOOST_TEST(round.running[1].token == 5u);
}

BOOST_AUTO_TEST_CASE(when_it_is_enough) {
  // Two rounds: an answer of -2, then one of -3 behind the best beam of -1;
  // the best that runs then has come to -1.5 in two tokens.
  struct row {
    EarlyStopping rule;
    double length_penalty;
    bool done;
  };
  const row table[] = {
      {EarlyStopping::first, 0, true},
      {EarlyStopping::heuristic, 0, false}, // -3 < -1.5: it may still be beaten
      {EarlyStopping::heuristic, 1, false},
      {EarlyStopping::never, 1, false},
      {EarlyStopping::first, 1, true},
      // Longer answers pay: -3 / 2 ^ -1 = -6, and -1.5 is -3 now already.
      {EarlyStopping::heuristic, -1, false},
  };
  for (const auto& [rule, length_penalty, done] : table) {
    beam_search search{{.width = 2,
                        .most_tokens = 9,
                        .length_penalty = length_penalty,
                        .early_stopping = rule}};
    one_round(search, {{{1, -1}, {0, -2}, {2, -4}}}, {0});
    one_round(search, {{{1, -0.5f}, {0, -2}, {2, -9}}, {{1, -9}}}, {0});
    BOOST_TEST(search.best().size() == 2u);
    BOOST_TEST(search.done() == done);
  }
  // The present length says enough, the longest does not.
  for (const auto rule : {EarlyStopping::heuristic, EarlyStopping::never}) {
    beam_search search{
        {.width = 1, .most_tokens = 100, .early_stopping = rule}};
    one_round(search, {{{0, -1}, {1, -2}}}, {0});
    BOOST_TEST(search.done() == (rule == EarlyStopping::heuristic));
  }
}

BOOST_AUTO_TEST_CASE(what_runs_at_the_longest_is_complete) {
  beam_search search{{.width = 2, .most_tokens = 1}};
  const auto round = one_round(search, {{{1, -1}, {0, -2}, {3, -3}}}, {0});
  BOOST_TEST(search.done());
  BOOST_REQUIRE_EQUAL(round.ended.size(), 3u);
  BOOST_REQUIRE_EQUAL(search.best().size(), 2u);
  BOOST_TEST(search.best()[0].id == 1u);
  BOOST_TEST(search.best()[1].id == 0u);
}

BOOST_AUTO_TEST_CASE(nothing_goes_on_where_everything_ends) {
  beam_search search{{.width = 3, .most_tokens = 9}};
  one_round(search, {{{0, -1}, {1, -2}}}, {0, 1});
  BOOST_TEST(search.done());
  BOOST_TEST(search.best().size() == 2u);
}

BOOST_AUTO_TEST_CASE(broken_contracts) {
  BOOST_CHECK_THROW(beam_search({.width = 0}), contract_violation);
  beam_search search{{.width = 2, .most_tokens = 3}};
  BOOST_CHECK_THROW(one_round(search, {{}, {}}), contract_violation);
}

BOOST_AUTO_TEST_CASE(agrees_with_the_rules_written_plainly) {
  std::mt19937_64 dice{7};
  for (int i = 0; i < 4000; ++i) {
    problem p;
    p.seed = dice();
    p.vocab = 2 + static_cast<std::uint32_t>(dice() % 6);
    p.min_tokens = static_cast<std::uint32_t>(dice() % 3);
    p.rules.width = 1 + static_cast<std::uint32_t>(dice() % 5);
    p.rules.most_tokens = 1 + static_cast<std::uint32_t>(dice() % 7);
    p.rules.length_penalty = (static_cast<double>(dice() % 7) - 2) / 2;
    p.rules.early_stopping = static_cast<EarlyStopping>(dice() % 3);
    const auto expected = searched_plainly(p);
    BOOST_TEST(searched(p) == expected, boost::test_tools::per_element());
    p.listed = p.rules.width + 1; // and the one token that ends
    BOOST_TEST(scores_of(searched(p)) == scores_of(expected),
               boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_CASE(finds_the_best_of_all_when_it_is_wide_enough) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed)
    for (const double length_penalty : {-1.0, 0.0, 0.5, 1.0, 2.0}) {
      const problem p{.rules = {.width = 81,
                                .most_tokens = 4,
                                .length_penalty = length_penalty,
                                .early_stopping = EarlyStopping::never},
                      .vocab = 3,
                      .seed = seed};
      std::vector<answer> all;
      all_answers(p, {}, 0, all);
      auto scores = scores_of(all);
      std::sort(scores.rbegin(), scores.rend());
      scores.resize(std::min<std::size_t>(scores.size(), p.rules.width));
      BOOST_TEST(scores_of(searched(p)) == scores,
                 boost::test_tools::per_element());
    }
}

BOOST_AUTO_TEST_CASE(never_stops_before_the_best_that_its_beams_can_reach) {
  // With a sum of its own per answer, `never` gives what running every beam to
  // the longest length gives.
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    problem p{.rules = {.width = 3,
                        .most_tokens = 6,
                        .length_penalty = 1,
                        .early_stopping = EarlyStopping::never},
              .vocab = 5,
              .seed = seed};
    const auto found = searched(p);
    beam_search search{p.rules};
    std::vector<tokens> beams{{}};
    std::vector<double> scores;
    std::vector<double> sums{0};
    for (std::uint32_t length = 1; length <= 6 && !beams.empty(); ++length) {
      std::vector<std::tuple<double, std::size_t, std::uint32_t>> all;
      for (std::size_t i = 0; i < beams.size(); ++i)
        for (const auto& c : choices_after(p, beams[i]))
          all.emplace_back(-(sums[i] + c.logprob), i, c.token);
      std::sort(all.begin(), all.end());
      std::vector<tokens> next;
      std::vector<double> next_sums;
      for (std::size_t rank = 0; rank < all.size(); ++rank) {
        const auto& [loss, parent, token] = all[rank];
        if (ends_answer(p, length, token)) {
          if (rank < 3)
            scores.push_back(-loss / length);
        } else if (next.size() < 3) {
          next.push_back(beams[parent]);
          next.back().push_back(token);
          next_sums.push_back(-loss);
        }
      }
      beams = std::move(next);
      sums = std::move(next_sums);
    }
    for (const auto sum : sums)
      scores.push_back(sum / 6);
    std::sort(scores.rbegin(), scores.rend());
    scores.resize(3);
    BOOST_TEST(scores_of(found) == scores, boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_SUITE_END()
