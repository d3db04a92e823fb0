// SPDX-License-Identifier: Apache-2.0
#include "model/cuda/cuda_sampler.hpp"

#include "kernels/check.hpp"
#include "kernels/cuda/step_state.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

namespace sluice {

namespace {

constexpr std::size_t alignment = 16;

std::size_t aligned(std::size_t bytes) {
  return (bytes + alignment - 1) / alignment * alignment;
}

/// Where the lists of a slice begin. Those that every slice has come first: a
/// graph of so many rows finds them at the same places every time.
struct list_places {
  std::size_t rows = 0;
  std::size_t settings = 0;
  std::size_t drafts = 0;
  std::size_t bias = 0;
  std::size_t bytes = 0; // of them all
};

list_places place_lists(std::size_t rows, std::size_t bias) {
  list_places all;
  const auto take = [&all](std::size_t& at, std::size_t bytes) {
    at = all.bytes;
    all.bytes += aligned(bytes);
  };
  take(all.rows, rows * sizeof(cuda::choice_row));
  take(all.settings, rows * sizeof(cuda::choice_settings));
  take(all.drafts, rows * sizeof(std::int32_t));
  take(all.bias, bias * sizeof(logit_bias));
  return all;
}

template <class T>
const T* array_at(const std::byte* base, std::size_t offset) {
  return reinterpret_cast<const T*>(base + offset);
}

} // namespace

cuda_sampler::parts cuda_sampler::place_parts(const bounds& most,
                                              std::byte* base) {
  constexpr std::uint64_t part_alignment = 256;
  const auto limits = choice_limits::of(most.rows, most.vocab);
  parts all;
  const auto take = [&](std::size_t bytes) {
    auto* at = base ? base + all.bytes : nullptr;
    all.bytes += (bytes + part_alignment - 1) / part_alignment * part_alignment;
    return at;
  };
  all.lists_bytes = place_lists(limits.rows, limits.bias).bytes;
  all.lists = take(all.lists_bytes);
  const auto counts_bytes =
      static_cast<std::size_t>(cuda_counts::bytes_for(count_bounds(most)));
  all.counts = {take(counts_bytes), counts_bytes};
  all.chosen = reinterpret_cast<cuda::choice*>(
      take(std::size_t{most.wanted} * sizeof(cuda::choice)));
  all.top = reinterpret_cast<token_logprob*>(
      take(std::size_t{limits.top} * sizeof(token_logprob)));
  all.workspace_bytes = cuda::choice_workspace_bytes(most.rows, most.vocab);
  all.workspace = take(all.workspace_bytes);
  return all;
}

cuda_counts::bounds cuda_sampler::count_bounds(const bounds& most) {
  constexpr std::uint32_t usual_changes = 1u << 16;
  return {most.counts, most.vocab, usual_changes};
}

std::uint64_t cuda_sampler::bytes_for(const bounds& most) {
  return place_parts(most, nullptr).bytes;
}

cuda_sampler::cuda_sampler(const bounds& most, std::span<std::byte> device)
    : most_{most}, limits_{choice_limits::of(most.rows, most.vocab)},
      device_{place_parts(most, device.data())},
      counts_{count_bounds(most), device_.counts}, staging_{staging{limits_},
                                                            staging{limits_}} {
  for (auto& each : staging_) {
    each.lists = cuda::host_memory{device_.lists_bytes};
    each.chosen = cuda::host_memory{limits_.rows * sizeof(cuda::choice)};
    each.top = cuda::host_memory{limits_.top * sizeof(token_logprob)};
  }
}

const choice_slice& cuda_sampler::plan(const lane_batch& batch,
                                       std::uint32_t first,
                                       std::uint32_t place) {
  auto& slice = staging_.at(place).slice;
  slice.fill(batch, first, counts_);
  return slice;
}

void cuda_sampler::send(std::uint32_t place, std::int64_t rows,
                        cuda::stream& in) {
  auto& from = staging_.at(place);
  const auto& slice = from.slice;
  require(rows >= slice.count() && rows <= limits_.rows,
          "cuda: more tokens are chosen at once than there is room for");
  const auto at =
      place_lists(static_cast<std::size_t>(rows), slice.bias.size());
  auto* host = from.lists.data();
  const auto write = [host](const auto& list, std::size_t offset) {
    if (!list.empty())
      std::memcpy(host + offset, list.data(), list.size() * sizeof list[0]);
  };
  write(slice.rows, at.rows);
  auto* all_rows = reinterpret_cast<cuda::choice_row*>(host + at.rows);
  std::fill(all_rows + slice.rows.size(), all_rows + rows, cuda::choice_row{});
  write(slice.settings, at.settings);
  write(slice.drafts, at.drafts);
  write(slice.bias, at.bias);
  in.copy(device_.lists, host, at.bytes);
  counts_.send(place, in);
}

void cuda_sampler::choose(const cuda::device_rows& logits,
                          const choice_slice& slice, const cuda_step& step,
                          cuda::stream& in) const {
  const auto at = place_lists(static_cast<std::size_t>(logits.rows), 0);
  cuda::choose_tokens(
      {.logits = logits,
       .rows = array_at<cuda::choice_row>(device_.lists, at.rows),
       .settings = array_at<cuda::choice_settings>(device_.lists, at.settings),
       .counts = counts_.data(),
       .bias = array_at<logit_bias>(device_.lists, at.bias),
       .drafts = array_at<std::int32_t>(device_.lists, at.drafts),
       .ids = step.tokens,
       .out = device_.chosen + slice.first(),
       .top = slice.most_top() > 0 ? device_.top : nullptr,
       .most_top = slice.most_top(),
       .workspace = device_.workspace,
       .workspace_bytes = device_.workspace_bytes},
      in);
}

void cuda_sampler::take(const cuda_step& into, cuda::stream& in) const {
  cuda::take_tokens({.chosen = device_.chosen,
                     .chosen_rows = most_.wanted,
                     .from = into.taken_from,
                     .at = into.taken_at,
                     .ids = into.tokens,
                     .rows = into.sizes.rows,
                     .count = into.taken_count},
                    in);
}

void cuda_sampler::fetch(std::uint32_t place, cuda::stream& in) {
  auto& to = staging_.at(place);
  const auto count = std::size_t{to.slice.count()};
  in.copy(to.chosen.data(), device_.chosen + to.slice.first(),
          count * sizeof(cuda::choice));
  const auto top = count * static_cast<std::size_t>(to.slice.most_top());
  if (top > 0)
    in.copy(to.top.data(), device_.top, top * sizeof(token_logprob));
}

void cuda_sampler::collect(const lane_batch& batch, std::uint32_t place,
                           step_answer& answer) const {
  const auto& from = staging_.at(place);
  const auto end = from.slice.first() + from.slice.count();
  for (const auto& row : batch.rows()) {
    auto& of_row = answer.row(row.plan_row);
    for (auto i = std::max(from.slice.first(), row.first_wanted);
         i < std::min(end, row.end_wanted()); ++i)
      if (of_row.code == messages::ErrorCode::none)
        add_outcome(of_row, row, i,
                    outcome_of(from, i - from.slice.first(), row.is_scored(i)));
  }
}

position_outcome cuda_sampler::outcome_of(const staging& of,
                                          std::uint32_t index, bool is_scored) {
  const auto& from = array_at<cuda::choice>(of.chosen.data(), 0)[index];
  position_outcome out;
  if (of.slice.rows[index].settings < 0) {
    out.error = "logit_bias has more entries than a GPU takes; give fewer";
    return out;
  }
  const auto* first =
      array_at<token_logprob>(of.top.data(), 0) +
      std::size_t{index} * static_cast<std::size_t>(of.slice.most_top());
  out.top.assign(first, first + from.top_count);
  if (is_scored)
    out.score = {.status = from.status,
                 .logprob = from.logprob,
                 .rank = from.rank,
                 .top_count = from.top_count};
  else
    out.result = {.status = from.status,
                  .token = from.token,
                  .logprob = from.logprob,
                  .raw_logprob = from.raw_logprob,
                  .top_count = from.top_count};
  return out;
}

} // namespace sluice
