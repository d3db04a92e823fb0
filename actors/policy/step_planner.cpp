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

/// How long the step takes with these chunks beside its decodes.
step_shape with_all(step_shape shape, std::span<const open_prompt> prompts,
                    const std::vector<std::uint32_t>& lengths) {
  for (std::size_t i = 0; i < prompts.size(); ++i)
    shape = with(shape, prompts[i], lengths[i]);
  return shape;
}

/// Twice the price of the prompt's next position, reading included.
instant fair_price(const step_shape& so_far, const open_prompt& prompt,
                   const cost_model& costs) {
  constexpr auto rounding = std::chrono::microseconds{1};
  return (costs.predict(with(so_far, prompt, 1)) - costs.predict(so_far)) * 2 +
         rounding;
}

} // namespace

std::vector<std::size_t>
step_planner::order_of(std::span<const open_prompt> prompts) const {
  std::vector<std::size_t> order(prompts.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (turn_ % arrival_every != 0)
    std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) {
      return prompts[a].remaining < prompts[b].remaining;
    });
  return order;
}

bool step_planner::is_timed(const step_shape& decodes) const {
  return budget_.itl_target > instant{0} && decodes.rows > 0;
}

/// Of a step without decodes.
instant step_planner::idle_limit(const open_prompt& first,
                                 const cost_model& costs) const {
  if (budget_.itl_target == instant{0})
    return instant::max();
  return std::max(budget_.itl_target * idle_targets,
                  costs.predict({}) + fair_price({}, first, costs));
}

instant step_planner::granted_by(instant decodes) const {
  const auto part = (1 - budget_.decode_share) / budget_.decode_share;
  return instant{
      static_cast<std::int64_t>(static_cast<double>(decodes.count()) * part)};
}

// All but the first are left for another step rather than cut to less than
// their reading is worth.
void step_planner::fill(chunks& lengths, const step_shape& decodes,
                        std::span<const open_prompt> prompts,
                        std::span<const std::size_t> order, instant end,
                        const cost_model& costs) const {
  auto so_far = decodes;
  for (const auto i : order) {
    const auto& prompt = prompts[i];
    auto most = std::min(budget_.step_tokens - so_far.rows, prompt.remaining);
    if (most < prompt.remaining)
      most = whole_panels(so_far.rows, most);
    const auto length = longest_within(end, so_far, prompt, most, costs);
    const bool cut = length < prompt.remaining;
    if (length == 0 ||
        (cut && i != order.front() && end < instant::max() &&
         end - costs.predict(so_far) < fair_price(so_far, prompt, costs)))
      return;
    lengths[i] = length;
    so_far = with(so_far, prompt, length);
    if (cut)
      return;
  }
}

void step_planner::buy(chunks& lengths, const step_shape& decodes,
                       std::span<const open_prompt> prompts,
                       std::span<const std::size_t> order,
                       const cost_model& costs) {
  const auto alone = costs.predict(decodes);
  const auto granted = granted_by(alone);
  const auto room =
      std::max({budget_.itl_target - alone, std::min(granted, alone / 2),
                fair_price(decodes, prompts[order.front()], costs)});
  saved_ = std::min(saved_ + granted, std::max(room * 2, most_idle()));
  fill(lengths, decodes, prompts, order.first(1), alone + room, costs);
  const auto price = [&] {
    return costs.predict(with_all(decodes, prompts, lengths)) - alone;
  };
  if (price() > saved_) {
    lengths[order.front()] = 0;
    return;
  }
  fill(lengths, decodes, prompts, order, alone + std::min(room, saved_), costs);
  saved_ -= price();
}

std::vector<std::uint32_t>
step_planner::share(const step_shape& decodes,
                    std::span<const open_prompt> prompts,
                    const cost_model& costs) {
  chunks lengths(prompts.size(), 0);
  const bool timed = is_timed(decodes);
  if (prompts.empty() || decodes.rows >= budget_.step_tokens) {
    if (timed)
      saved_ = std::min(saved_ + granted_by(costs.predict(decodes)),
                        std::max(saved_, most_idle()));
    return lengths;
  }
  const auto order = order_of(prompts);
  if (timed)
    buy(lengths, decodes, prompts, order, costs);
  else
    fill(lengths, decodes, prompts, order,
         idle_limit(prompts[order.front()], costs), costs);
  if (std::any_of(lengths.begin(), lengths.end(), [](auto n) { return n > 0; }))
    ++turn_;
  return lengths;
}

} // namespace sluice::policy
