// SPDX-License-Identifier: Apache-2.0
#include "actors/policy/step_planner.hpp"

#include <algorithm>
#include <numeric>

namespace sluice::policy {
namespace {

constexpr auto panel = step_planner::panel_rows;

step_shape with(step_shape shape, const open_prompt& prompt,
                std::uint32_t length) {
  if (length > 0)
    shape += shape_of_run(prompt.start, length, length == prompt.remaining);
  return shape;
}

/// The most of @p length that fills the step's rows up to whole panels; all of
/// it if less than a panel is left either way.
std::uint32_t whole_panels(std::uint32_t rows, std::uint32_t length) {
  const auto excess = (rows + length) % panel;
  return length >= excess + panel ? length - excess : length;
}

/// The longest chunk of at most @p most with which a step ends by @p limit.
/// Predictions grow with the length, so it is searched for by halves.
std::uint32_t longest_within(instant limit, const step_shape& so_far,
                             const open_prompt& prompt, std::uint32_t most,
                             const cost_model& costs) {
  const auto fits = [&](std::uint32_t length) {
    return costs.predict(with(so_far, prompt, length)) <= limit;
  };
  if (fits(most))
    return most;
  std::uint32_t yes = 0;
  for (auto no = most; no - yes > 1;) {
    const auto middle = yes + (no - yes) / 2;
    (fits(middle) ? yes : no) = middle;
  }
  return whole_panels(so_far.rows, yes);
}

instant part_of(instant time, double part) {
  return instant{
      static_cast<std::int64_t>(static_cast<double>(time.count()) * part)};
}

} // namespace

std::vector<std::size_t>
step_planner::order_of(std::span<const open_prompt> prompts) {
  std::vector<std::size_t> order(prompts.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (++turn_ % arrival_every != 0)
    std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) {
      return prompts[a].remaining < prompts[b].remaining;
    });
  return order;
}

bool step_planner::is_timed(const step_shape& decodes) const {
  return budget_.itl_target > instant{0} && decodes.rows > 0;
}

instant step_planner::limit_of(const step_shape& decodes,
                               const cost_model& costs) const {
  if (!is_timed(decodes))
    return instant::max();
  const auto alone = costs.predict(decodes);
  return std::max(budget_.itl_target,
                  alone + part_of(alone, budget_.prompt_share));
}

// A chunk has a price of its own, the reading of the KV before it: what is
// bought is as long as twice the price of a single position allows.
std::uint32_t step_planner::savings_buy(const step_shape& decodes,
                                        const open_prompt& prompt,
                                        const cost_model& costs) {
  const auto alone = costs.predict(decodes);
  const auto single = costs.predict(with(decodes, prompt, 1)) - alone;
  saved_ += part_of(alone, budget_.prompt_share);
  if (saved_ < single * 2)
    return 0;
  saved_ = instant{0};
  const auto most =
      std::min({panel, prompt.remaining, budget_.step_tokens - decodes.rows});
  constexpr auto rounding = std::chrono::microseconds{1};
  return longest_within(alone + single * 2 + rounding, decodes, prompt, most,
                        costs);
}

std::vector<std::uint32_t>
step_planner::share(const step_shape& decodes,
                    std::span<const open_prompt> prompts,
                    const cost_model& costs) {
  std::vector<std::uint32_t> lengths(prompts.size(), 0);
  if (prompts.empty() || decodes.rows >= budget_.step_tokens)
    return lengths;
  const auto limit = limit_of(decodes, costs);
  const auto order = order_of(prompts);
  auto so_far = decodes;
  for (const auto i : order) {
    const auto left = budget_.step_tokens - so_far.rows;
    auto most = std::min(left, prompts[i].remaining);
    if (most < prompts[i].remaining)
      most = whole_panels(so_far.rows, most);
    if (most == 0)
      break;
    lengths[i] = longest_within(limit, so_far, prompts[i], most, costs);
    so_far = with(so_far, prompts[i], lengths[i]);
    if (lengths[i] < prompts[i].remaining)
      break;
  }
  const auto first = order.front();
  if (lengths[first] == 0)
    lengths[first] = savings_buy(decodes, prompts[first], costs);
  return lengths;
}

} // namespace sluice::policy
