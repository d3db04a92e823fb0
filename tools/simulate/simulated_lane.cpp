// SPDX-License-Identifier: Apache-2.0
#include "tools/simulate/simulated_lane.hpp"

#include <algorithm>
#include <utility>

namespace sluice::simulate {

simulated_lane::simulated_lane(const lane_settings& settings, tally& counts)
    : settings_{settings}, counts_{counts},
      admission_{settings.capacity}, schedule_{settings.limits},
      machine_{settings.machine}, free_{settings.capacity.pool_pages} {}

std::uint32_t simulated_lane::pages_for(std::uint32_t positions) const {
  const auto page = settings_.capacity.page_tokens;
  return (positions + page - 1) / page;
}

policy::preemption_rules simulated_lane::rules() const {
  return {.page_tokens = settings_.capacity.page_tokens,
          .least_progress = settings_.least_progress};
}

// -- arrivals
// -------------------------------------------------------------------

void simulated_lane::offer(const arrival& asked, instant now) {
  ++counts_.offered;
  const auto request = next_request_++;
  if (admission_.offer({.request = request,
                        .tenant = asked.tenant,
                        .prompt_tokens = asked.prompt_tokens,
                        .max_tokens = asked.output_tokens,
                        .priority = asked.priority},
                       now)) {
    ++counts_.refused;
    return;
  }
  requests_[request].asked = asked;
  go_on(now);
}

/// Whole pages only, and never the last position: its logits are needed.
std::uint32_t simulated_lane::hit_of(const arrival& asked) const {
  if (!settings_.prefix_cache ||
      !cached_groups_.contains({asked.tenant, asked.prefix_group}))
    return 0;
  const auto most = std::min(asked.prefix_tokens, asked.prompt_tokens - 1);
  return most - most % settings_.capacity.page_tokens;
}

void simulated_lane::start_ready() {
  admission_.pool_has(free_, 0);
  for (const auto request : admission_.admit()) {
    auto& s = requests_.at(request);
    s.cached = hit_of(s.asked);
    s.rank = next_rank_++;
    counts_.cached_tokens += s.cached;
    join(request, s);
  }
}

void simulated_lane::join(std::uint64_t request, const state& s) {
  const auto context = s.asked.prompt_tokens - s.cached + s.generated;
  schedule_.join({.key = request,
                  .prompt = std::vector<std::uint32_t>(context, 0),
                  .max_tokens = s.asked.output_tokens - s.generated,
                  .priority = s.asked.priority});
  schedule_.wishes();
  schedule_.enter(request, 0);
  running_.insert(request);
}

// -- pages
// ----------------------------------------------------------------------

void simulated_lane::bring_back() {
  std::vector<policy::page_seeker> seekers;
  for (const auto request : gave_way_) {
    const auto& s = requests_.at(request);
    seekers.push_back(
        {request, s.asked.priority, s.rank,
         pages_for(s.asked.prompt_tokens - s.cached + s.generated + 1)});
  }
  const auto running = static_cast<std::uint32_t>(running_.size());
  for (const auto request :
       policy::choose_returns(seekers, free_, running, rules())) {
    gave_way_.erase(request);
    join(request, requests_.at(request));
  }
}

std::vector<std::uint64_t>
simulated_lane::take_pages(const policy::step_draft& draft) {
  std::vector<std::uint64_t> waiting;
  std::uint32_t missing = 0;
  for (const auto& row : draft.rows) {
    auto& s = requests_.at(row.sequence);
    const auto wanted = pages_for(row.end());
    const auto more = wanted - std::min(wanted, s.pages);
    if (more > free_) {
      waiting.push_back(row.sequence);
      missing += more;
      continue;
    }
    free_ -= more;
    s.pages += more;
    s.progress += row.length();
    s.covered = row.end();
  }
  if (missing > free_)
    preempt(missing - free_);
  return waiting;
}

void simulated_lane::preempt(std::uint32_t missing) {
  std::vector<policy::page_holder> holders;
  for (const auto request : running_) {
    const auto& s = requests_.at(request);
    holders.push_back({.sequence = request,
                       .priority = s.asked.priority,
                       .admitted = s.rank,
                       .pages = s.pages,
                       .context_tokens = s.covered,
                       .progress = s.progress});
  }
  for (const auto& each :
       policy::choose_victims(holders, missing, rules(), schedule_.costs())) {
    auto& s = requests_.at(each.sequence);
    schedule_.end(each.sequence);
    free_ += std::exchange(s.pages, 0);
    s.progress = 0;
    running_.erase(each.sequence);
    gave_way_.insert(each.sequence);
    ++counts_.preemptions;
  }
}

// -- steps
// ----------------------------------------------------------------------

/// @return false if there is nothing to plan, or no room in the pipeline.
bool simulated_lane::plan() {
  auto draft = schedule_.draft();
  if (!draft)
    return false;
  const auto preempted = counts_.preemptions;
  const auto waiting = take_pages(*draft);
  if (!schedule_.confirm(*draft, waiting))
    return counts_.preemptions > preempted; // else all wait
  planned_.push_back(std::move(*draft));
  return true;
}

// What a cached prefix holds is not computed, but read.
instant simulated_lane::time_of(const policy::step_draft& draft) {
  policy::step_shape shape;
  for (const auto& row : draft.rows) {
    const auto known = requests_.find(row.sequence);
    const auto before = known == requests_.end() ? 0 : known->second.cached;
    shape +=
        policy::shape_of_run(row.start + before, row.length(), row.sampled);
  }
  counts_.computed_rows += shape.rows;
  return machine_.predict(shape);
}

void simulated_lane::run_next(instant now) {
  if (ends_ || planned_.empty())
    return;
  took_ = time_of(planned_.front());
  ends_ = now + settings_.overhead + took_;
  counts_.busy += took_;
  ++counts_.steps;
}

void simulated_lane::go_on(instant now) {
  bring_back();
  if (gave_way_.empty())
    start_ready();
  while (plan()) {
  }
  run_next(now);
}

void simulated_lane::step_done(instant now) {
  const auto draft = std::move(planned_.front());
  planned_.pop_front();
  counts_.end = now;
  ends_.reset();
  schedule_.measured(draft.number, took_);
  for (const auto& live : schedule_.result(draft.number))
    if (live.sampled) {
      const bool last = schedule_.append(live.sequence, 0);
      take_token(live.sequence, now);
      if (last)
        finish(live.sequence, now);
    }
  go_on(now);
}

void simulated_lane::take_token(std::uint64_t request, instant now) {
  auto& s = requests_.at(request);
  if (s.generated++ == 0) {
    s.first = now;
    counts_.first_token.add(now - s.asked.when);
    if (settings_.prefix_cache && s.asked.prefix_tokens > 0)
      cached_groups_.emplace(s.asked.tenant, s.asked.prefix_group);
  } else {
    counts_.between_tokens.add(now - s.last);
  }
  s.last = now;
  ++counts_.output_tokens;
  admission_.generated(request, 1);
}

void simulated_lane::finish(std::uint64_t request, instant now) {
  const auto& s = requests_.at(request);
  counts_.prompt_tokens += s.asked.prompt_tokens;
  counts_.finish(s.first - s.asked.when, now - s.asked.when, s.generated);
  admission_.served(request, s.generated, now);
  admission_.remove(request);
  schedule_.end(request);
  running_.erase(request);
  free_ += s.pages;
  requests_.erase(request);
}

} // namespace sluice::simulate
