// SPDX-License-Identifier: Apache-2.0
#include "model/cuda/cuda_sampler.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>

namespace sluice {

namespace {

using clock = std::chrono::steady_clock;

constexpr std::size_t alignment = 16;

std::size_t aligned(std::size_t bytes) {
  return (bytes + alignment - 1) / alignment * alignment;
}

void grow(cuda::device_memory& memory, std::size_t bytes) {
  if (memory.bytes() < bytes)
    memory = cuda::device_memory{bytes + bytes / 2};
}

/// Lists that go to the device in one piece.
class parcel {
public:
  parcel(std::vector<std::byte>& host, cuda::device_memory& device)
      : host_{&host}, device_{&device} {
    host.clear();
  }

  /// @return where the list will begin.
  template <class T>
  std::size_t add(const std::vector<T>& list) {
    const auto at = host_->size();
    host_->resize(aligned(at + list.size() * sizeof(T)));
    if (!list.empty())
      std::memcpy(host_->data() + at, list.data(), list.size() * sizeof(T));
    return at;
  }

  void send(cuda::stream& in) {
    grow(*device_, host_->size());
    in.copy(device_->data(), host_->data(), host_->size());
  }

  template <class T>
  const T* at(std::size_t offset) const {
    return reinterpret_cast<const T*>(device_->data() + offset);
  }

private:
  std::vector<std::byte>* host_;
  cuda::device_memory* device_;
};

} // namespace

cuda_sampler::cuda_sampler(std::uint32_t vocab, std::uint32_t most_rows)
    : vocab_{vocab}, most_rows_{most_rows},
      workspace_{cuda::choice_workspace_bytes(most_rows, vocab)} {}

void cuda_sampler::slice_input::clear() {
  rows.clear();
  settings.clear();
  bias.clear();
  count_rows.clear();
  count_tokens.clear();
  count_changes.clear();
  counted = 0;
  most_top = 0;
}

void cuda_sampler::run(const cuda_transformer& model, cuda_scratch& scratch,
                       const lane_batch& batch, const logits_observer& observer,
                       cuda::stream& in, step_answer& answer) {
  const auto all = static_cast<std::uint32_t>(batch.wanted());
  for (std::uint32_t first = 0; first < all; first += most_rows_) {
    const slice part{first, std::min(most_rows_, all - first)};
    const auto begin = clock::now();
    const auto logits = model.logits(part.first, part.count, scratch, in);
    plan(batch, part);
    choose(logits, in);
    if (observer)
      show(logits, batch, part, observer, in);
    in.wait();
    const auto computed = clock::now();
    collect(batch, part, answer);
    answer.times().kernels += computed - begin;
    answer.times().sampling += clock::now() - computed;
  }
}

void cuda_sampler::plan(const lane_batch& batch, slice part) {
  input_.clear();
  input_.rows.resize(part.count);
  for (const auto& row : batch.rows()) {
    const auto begin = std::max(part.first, row.first_wanted);
    const auto end = std::min(part.first + part.count, row.end_wanted());
    if (begin >= end)
      continue;
    const auto& sampling = row.sequence->sampling();
    input_.settings.push_back(
        {.params = sampling.params,
         .sequence = sampling.index,
         .seed = sampling.seed,
         .bias_first = static_cast<std::int32_t>(input_.bias.size()),
         .bias_count = static_cast<std::int32_t>(sampling.bias.size()),
         .want_logprobs = sampling.want_logprobs ? 1 : 0,
         .top_logprobs = static_cast<std::int32_t>(sampling.top_logprobs),
         .top_scores = static_cast<std::int32_t>(sampling.top_scores)});
    input_.bias.insert(input_.bias.end(), sampling.bias.begin(),
                       sampling.bias.end());
    input_.most_top = std::max(
        {input_.most_top, static_cast<std::int32_t>(sampling.top_logprobs),
         static_cast<std::int32_t>(sampling.top_scores)});
    for (auto at = begin; at < end; ++at)
      plan_position(row, at, input_.rows[at - part.first]);
  }
}

void cuda_sampler::plan_position(const batch_row& row, std::uint32_t wanted,
                                 cuda::choice_row& out) {
  out.settings = static_cast<std::int32_t>(input_.settings.size()) - 1;
  out.position = static_cast<std::int32_t>(row.position_of(wanted)) + 1;
  if (row.is_scored(wanted)) {
    out.given = row.next_tokens[wanted - row.first_wanted];
    return;
  }
  if (!row.sequence->sampling().has_penalties())
    return;
  // A position's counts are its own: those of the settings, copied.
  auto settings = input_.settings.back();
  settings.counts = input_.counted++;
  const auto position = static_cast<std::uint32_t>(out.position);
  for (const auto& seen : row.sequence->counts_before(position)) {
    input_.count_rows.push_back(settings.counts);
    input_.count_tokens.push_back(seen.token);
    input_.count_changes.push_back(seen.generated);
  }
  out.settings = static_cast<std::int32_t>(input_.settings.size());
  input_.settings.push_back(settings);
}

void cuda_sampler::choose(const cuda::device_rows& logits, cuda::stream& in) {
  parcel up{up_host_, up_};
  const auto rows = up.add(input_.rows);
  const auto settings = up.add(input_.settings);
  const auto bias = up.add(input_.bias);
  const auto count_rows = up.add(input_.count_rows);
  const auto count_tokens = up.add(input_.count_tokens);
  const auto count_changes = up.add(input_.count_changes);
  up.send(in);
  if (input_.counted > 0) {
    const auto bytes = static_cast<std::size_t>(input_.counted) *
                       static_cast<std::size_t>(cuda::count_stride(vocab_)) *
                       sizeof(std::uint32_t);
    grow(counts_, bytes);
    in.fill(counts_.data(), 0, bytes);
    cuda::count_tokens(
        {.counts = reinterpret_cast<std::uint32_t*>(counts_.data()),
         .vocabulary = vocab_,
         .rows = up.at<std::int32_t>(count_rows),
         .tokens = up.at<std::int32_t>(count_tokens),
         .changes = up.at<std::int32_t>(count_changes),
         .count = static_cast<std::int64_t>(input_.count_rows.size())},
        in);
  }
  const auto count = input_.rows.size();
  const auto top_count = count * static_cast<std::size_t>(input_.most_top);
  const auto top_at = aligned(count * sizeof(cuda::choice));
  grow(down_, top_at + top_count * sizeof(token_logprob));
  auto* out = reinterpret_cast<cuda::choice*>(down_.data());
  auto* top = reinterpret_cast<token_logprob*>(down_.data() + top_at);
  cuda::choose_tokens(
      {.logits = logits,
       .rows = up.at<cuda::choice_row>(rows),
       .settings = up.at<cuda::choice_settings>(settings),
       .counts = reinterpret_cast<std::uint32_t*>(counts_.data()),
       .bias = up.at<logit_bias>(bias),
       .out = out,
       .top = top_count > 0 ? top : nullptr,
       .most_top = input_.most_top,
       .workspace = workspace_.data(),
       .workspace_bytes = workspace_.bytes()},
      in);
  choices_.resize(count);
  top_.resize(top_count);
  in.copy(choices_.data(), out, count * sizeof(cuda::choice));
  if (top_count > 0)
    in.copy(top_.data(), top, top_count * sizeof(token_logprob));
}

void cuda_sampler::show(const cuda::device_rows& logits,
                        const lane_batch& batch, slice part,
                        const logits_observer& observer, cuda::stream& in) {
  const auto stride = static_cast<std::size_t>(logits.row_stride);
  std::vector<float> host(static_cast<std::size_t>(logits.rows) * stride);
  in.copy(host.data(), logits.data, host.size() * sizeof(float));
  in.wait();
  for (const auto& row : batch.rows())
    for (auto i = std::max(part.first, row.first_wanted);
         i < std::min(part.first + part.count, row.end_wanted()); ++i)
      observer({row.sequence->key(),
                row.position_of(i),
                {host.data() + std::size_t{i - part.first} * stride, vocab_}});
}

void cuda_sampler::collect(const lane_batch& batch, slice part,
                           step_answer& answer) {
  for (const auto& row : batch.rows()) {
    auto& of_row = answer.row(row.plan_row);
    for (auto i = std::max(part.first, row.first_wanted);
         i < std::min(part.first + part.count, row.end_wanted()); ++i)
      if (of_row.code == messages::ErrorCode::none)
        add_outcome(of_row, row, i,
                    outcome_of(i - part.first, row.is_scored(i)));
  }
}

position_outcome cuda_sampler::outcome_of(std::uint32_t index,
                                          bool is_scored) const {
  const auto& from = choices_[index];
  position_outcome out;
  const auto* first =
      top_.data() +
      std::size_t{index} * static_cast<std::size_t>(input_.most_top);
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
