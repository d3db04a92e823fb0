// SPDX-License-Identifier: Apache-2.0
#include "tests/kernels/cuda/choice_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace sluice::test {

namespace {

constexpr float nothing = std::numeric_limits<float>::quiet_NaN();

// The tables of a call, filled row by row; sequence r belongs to row r.
struct tables {
  std::int64_t vocabulary;
  std::int64_t stride;
  std::vector<float> logits;
  std::vector<cuda::choice_row> rows;
  std::vector<cuda::choice_settings> settings;
  std::vector<std::uint32_t> counts;
  std::vector<logit_bias> bias;
  std::vector<std::uint64_t> allowed;
  std::vector<std::int32_t> drafts;
  std::vector<std::int32_t> ids;

  explicit tables(std::int64_t size)
      : vocabulary{size}, stride{cuda::count_stride(size) + 4} {}

  void add(const choice_case& row) {
    cuda::choice_settings own{.params = row.params,
                              .sequence = row.key.sequence,
                              .seed = row.key.seed,
                              .want_logprobs = row.want_logprobs,
                              .top_logprobs = row.top,
                              .top_scores = row.top,
                              .prompt_tokens = row.prompt_tokens};
    add_logits(row);
    add_counts(row, own);
    own.bias_first = static_cast<std::int32_t>(bias.size());
    own.bias_count = static_cast<std::int32_t>(row.bias.size());
    bias.insert(bias.end(), row.bias.begin(), row.bias.end());
    if (!row.allowed.empty()) {
      own.allowed = static_cast<std::int32_t>(
          allowed.size() /
          static_cast<std::size_t>(cuda::mask_stride(vocabulary)));
      allowed.insert(allowed.end(), row.allowed.begin(), row.allowed.end());
    }
    rows.push_back(
        {.settings =
             row.skipped ? -1 : static_cast<std::int32_t>(settings.size()),
         .position = static_cast<std::int32_t>(row.key.position),
         .given = row.given.value_or(-1),
         .drafts_first = static_cast<std::int32_t>(drafts.size()),
         .drafts = static_cast<std::int32_t>(row.drafts.size()),
         .enters = row.enters ? static_cast<std::int32_t>(ids.size()) : -1});
    ids.push_back(row.enters.value_or(-1));
    drafts.insert(drafts.end(), row.drafts.begin(), row.drafts.end());
    settings.push_back(own);
  }

private:
  void add_logits(const choice_case& row) {
    const auto first = logits.size();
    logits.resize(first + static_cast<std::size_t>(stride), nothing);
    std::copy(row.logits.begin(), row.logits.end(),
              logits.begin() + static_cast<std::ptrdiff_t>(first));
  }

  void add_counts(const choice_case& row, cuda::choice_settings& own) {
    if (row.counts.empty() && row.drafts.empty() && !row.enters)
      return;
    const auto width = static_cast<std::size_t>(cuda::count_stride(vocabulary));
    const auto first = counts.size();
    own.counts = static_cast<std::int32_t>(first / width);
    counts.resize(first + width, 0);
    for (const auto& [token, generated] : row.counts)
      counts[first + static_cast<std::size_t>(token)] =
          cuda::count_in_prompt | static_cast<std::uint32_t>(generated);
  }
};

chosen score_on_host(const choice_case& row) {
  chosen out;
  out.top.resize(static_cast<std::size_t>(row.top));
  const auto found = score(row.logits, *row.given, out.top);
  out.result = {.token = found.status == sample_status::ok ? *row.given : -1,
                .status = found.status,
                .logprob = found.logprob,
                .raw_logprob = 0,
                .rank = found.rank,
                .top_count = found.top_count};
  return out;
}

// Counts with what stands between them and the position.
std::vector<token_count> all_counts(const choice_case& row) {
  auto counts = row.counts;
  auto between = row.drafts;
  if (row.enters)
    between.push_back(*row.enters);
  auto position = static_cast<std::int32_t>(row.key.position) -
                  static_cast<std::int32_t>(between.size());
  for (const auto token : between) {
    const auto same = [&](const token_count& c) { return c.token == token; };
    auto at = std::find_if(counts.begin(), counts.end(), same);
    if (at == counts.end())
      at = counts.insert(counts.end(), {token, 0});
    at->generated += position++ < row.prompt_tokens ? 0 : 1;
  }
  return counts;
}

bool close(float a, float b) {
  return std::abs(a - b) <= 1e-6f + std::abs(b) * 3e-7f;
}

void check_same(const chosen& found, const chosen& wanted, std::size_t row) {
  BOOST_TEST_CONTEXT("row " << row) {
    BOOST_TEST(found.result.token == wanted.result.token);
    BOOST_TEST((found.result.status == wanted.result.status));
    BOOST_TEST(found.result.rank == wanted.result.rank);
    BOOST_TEST(close(found.result.logprob, wanted.result.logprob),
               found.result.logprob << " for " << wanted.result.logprob);
    BOOST_TEST(close(found.result.raw_logprob, wanted.result.raw_logprob),
               found.result.raw_logprob << " for "
                                        << wanted.result.raw_logprob);
    BOOST_TEST_REQUIRE(found.result.top_count == wanted.result.top_count);
    const auto count = static_cast<std::size_t>(wanted.result.top_count);
    for (std::size_t i = 0; i < count; ++i) {
      BOOST_TEST(found.top[i].token == wanted.top[i].token);
      BOOST_TEST(close(found.top[i].logprob, wanted.top[i].logprob));
    }
  }
}

} // namespace

std::vector<chosen> choose_on_device(cuda::stream& in,
                                     const std::vector<choice_case>& rows) {
  tables all{static_cast<std::int64_t>(rows.front().logits.size())};
  std::int32_t most_top = 0;
  for (const auto& row : rows) {
    all.add(row);
    most_top = std::max(most_top, row.top);
  }
  const device_array<float> logits{in, all.logits};
  const device_array<cuda::choice_row> device_rows{in, all.rows};
  const device_array<cuda::choice_settings> settings{in, all.settings};
  const device_array<std::uint32_t> counts{in, all.counts};
  const device_array<logit_bias> bias{in, all.bias};
  const device_array<std::uint64_t> allowed{in, all.allowed};
  const device_array<std::int32_t> drafts{in, all.drafts};
  const device_array<std::int32_t> ids{in, all.ids};
  const device_array<cuda::choice> out{in, rows.size()};
  const device_array<token_logprob> top{
      in, rows.size() * static_cast<std::size_t>(most_top)};
  const auto count = static_cast<std::int64_t>(rows.size());
  const device_array<std::byte> workspace{
      in, cuda::choice_workspace_bytes(count, all.vocabulary)};
  cuda::choose_tokens(
      {.logits = {logits.data(), count, all.vocabulary, all.stride},
       .rows = device_rows.data(),
       .settings = settings.data(),
       .counts = counts.data(),
       .bias = bias.data(),
       .allowed = allowed.data(),
       .drafts = drafts.data(),
       .ids = ids.data(),
       .out = out.data(),
       .top = top.data(),
       .most_top = most_top,
       .workspace = workspace.data(),
       .workspace_bytes = workspace.size()},
      in);
  const auto results = out.values();
  const auto tops = top.values();
  std::vector<chosen> found;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const auto first = tops.begin() + static_cast<std::ptrdiff_t>(r) * most_top;
    found.push_back({results[r], {first, first + rows[r].top}});
  }
  return found;
}

chosen choose_on_host(const choice_case& row) {
  if (row.skipped)
    return {};
  if (row.given)
    return score_on_host(row);
  chosen out;
  out.top.resize(static_cast<std::size_t>(row.top));
  std::vector<std::uint64_t> room(
      sample_workspace_bytes(static_cast<std::int64_t>(row.logits.size())) / 8 +
      1);
  const auto counts = all_counts(row);
  const auto found = sample(
      {.logits = row.logits,
       .params = row.params,
       .bias = row.bias,
       .counts = counts,
       .allowed = row.allowed,
       .key = row.key,
       .want_logprobs = row.want_logprobs,
       .top = out.top,
       .workspace = std::as_writable_bytes(std::span<std::uint64_t>{room})});
  out.result = {.token = found.token,
                .status = found.status,
                .logprob = found.logprob,
                .raw_logprob = found.raw_logprob,
                .rank = 0,
                .top_count = found.top_count};
  return out;
}

void check_like_host(cuda::stream& in, const std::vector<choice_case>& rows) {
  const auto found = choose_on_device(in, rows);
  for (std::size_t r = 0; r < rows.size(); ++r)
    check_same(found[r], choose_on_host(rows[r]), r);
}

bool same_bits(const chosen& a, const chosen& b) {
  const auto bits = [](float x) { return std::bit_cast<std::uint32_t>(x); };
  const auto same_entry = [&](const token_logprob& x, const token_logprob& y) {
    return x.token == y.token && bits(x.logprob) == bits(y.logprob);
  };
  return a.result.token == b.result.token &&
         a.result.status == b.result.status && a.result.rank == b.result.rank &&
         bits(a.result.logprob) == bits(b.result.logprob) &&
         bits(a.result.raw_logprob) == bits(b.result.raw_logprob) &&
         std::equal(a.top.begin(), a.top.end(), b.top.begin(), b.top.end(),
                    same_entry);
}

} // namespace sluice::test
