// SPDX-License-Identifier: Apache-2.0
#include "model/cuda/cuda_lane.hpp"

#include "model/cuda/cuda_graphs.hpp"
#include "model/cuda/cuda_sampler.hpp"
#include "model/cuda/cuda_transformer.hpp"

#include <algorithm>
#include <array>
#include <exception>
#include <utility>
#include <vector>

namespace sluice {

namespace {

constexpr std::int32_t most_recorded_top = 32;

cuda_step_input::bounds input_bounds(const architecture& arch,
                                     const lane_options& options) {
  constexpr std::uint32_t usual_changes = 4096;
  const auto pages =
      (arch.context + options.page_tokens - 1) / options.page_tokens;
  return {.rows = options.max_step_tokens,
          .tables = {.tables = options.kept_tables > 0
                                   ? options.kept_tables
                                   : options.max_step_tokens,
                     .entries = pages},
          .changes = usual_changes,
          .tiling = {.head_dim = arch.head_dim,
                     .group = arch.heads / arch.kv_heads}};
}

cuda_sampler::bounds sampler_bounds(const architecture& arch,
                                    const lane_options& options) {
  constexpr std::uint32_t least_counts = 64;
  constexpr std::uint32_t usual_count_bytes = 128u << 20;
  const auto rows = cuda_scratch::logit_rows(arch, options.max_step_tokens);
  const auto fit = usual_count_bytes / (arch.vocab * sizeof(std::uint32_t));
  const auto usual = std::max(least_counts, static_cast<std::uint32_t>(fit));
  return {.rows = rows,
          .wanted = options.max_step_tokens,
          .vocab = arch.vocab,
          .counts = options.kept_counts > 0 ? options.kept_counts
                                            : std::min(rows, usual)};
}

/// What a lane computes with, beside its weights and its cache.
struct work_bytes {
  std::uint64_t scratch = 0;
  std::uint64_t input = 0;
  std::uint64_t sampler = 0;

  work_bytes(const architecture& arch, const lane_options& options,
             cuda::determinism mode)
      : scratch{aligned(
            cuda_scratch::bytes_for(arch, options.max_step_tokens, mode))},
        input{aligned(cuda_step_input::bytes_for(input_bounds(arch, options)))},
        sampler{
            aligned(cuda_sampler::bytes_for(sampler_bounds(arch, options)))} {}

  static std::uint64_t aligned(std::uint64_t bytes) {
    return (bytes + cuda::memory_alignment - 1) / cuda::memory_alignment *
           cuda::memory_alignment;
  }
};

/// All device memory of a lane, cut into its parts.
class lane_memory {
public:
  lane_memory(const cuda::memory_plan& plan, const work_bytes& work)
      : pool_{static_cast<std::size_t>(plan.pool_bytes)},
        weights{part(plan.weights)}, staging{part(plan.staging)},
        pages{part(plan.pages)}, scratch{part(
                                     {plan.scratch.offset, work.scratch})},
        input{part({plan.scratch.offset + work.scratch, work.input})},
        sampler{part(
            {plan.scratch.offset + work.scratch + work.input, work.sampler})} {}

private:
  std::span<std::byte> part(const cuda::memory_part& of) const {
    return {pool_.data() + of.offset, static_cast<std::size_t>(of.bytes)};
  }

  cuda::device_memory pool_;

public:
  std::span<std::byte> weights;
  std::span<std::byte> staging;
  std::span<std::byte> pages;
  std::span<std::byte> scratch;
  std::span<std::byte> input;
  std::span<std::byte> sampler;
};

class cuda_lane : public lane_device {
public:
  cuda_lane(std::shared_ptr<const loaded_model> model,
            const lane_options& options, const cuda_place& place,
            const progress_fn& progress)
      : model_{std::move(model)}, place_{place}, memory_{place.memory,
                                                         {arch(), options,
                                                          place.options.mode}},
        transformer_{arch(),
                     upload_weights(*model_, memory_.weights,
                                    {place.options.threads, progress},
                                    place.stream),
                     place.options.mode},
        cache_{shape_of(arch(), options), options.host_slots, memory_.pages,
               memory_.staging},
        scratch_{arch(), options.max_step_tokens, place.options.mode,
                 memory_.scratch, place.stream},
        input_{input_bounds(arch(), options), memory_.input},
        sampler_{sampler_bounds(arch(), options), memory_.sampler} {}

  ~cuda_lane() override { drain(); }

  const step_end* start(const messages::StepPlan& plan,
                        const logits_observer& observer,
                        const device_step& step) override {
    auto& when = place_.timeline.begin(place_.stream);
    under_way_.at(step.place) = &when;
    try {
      cache_.move_pages(plan, place_.stream);
      when.moved(place_.stream);
      if (!step.batch.rows().empty())
        run(step, observer);
      when.ended(place_.stream);
    } catch (...) {
      drain(); // what it left in the stream reads what the next one writes
      forget();
      throw;
    }
    return &when;
  }

  void finish(const device_step& step) override {
    const auto& when = *under_way_.at(step.place);
    try {
      when.wait();
    } catch (...) {
      forget();
      throw;
    }
    when.tell(step.answer.times());
    if (!step.batch.rows().empty())
      sampler_.collect(step.batch, step.place, step.answer);
  }

  device_bytes bytes() const override {
    return {.kv = kv_store_bytes(cache_.shape()),
            .page = kv_page_bytes(cache_.shape()),
            .weights = transformer_.weights().bytes};
  }

private:
  const architecture& arch() const { return model_->arch; }

  void run(const device_step& step, const logits_observer& observer);
  void choose_slices(const device_step& step, const cuda_step& input,
                     const logits_observer& observer);
  void show(const device_step& step, const choice_slice& slice,
            const cuda::device_rows& logits, const logits_observer& observer);

  // What sequences believe to be on the device.
  void forget() {
    input_.forget();
    sampler_.forget();
  }

  // A stream's own error is met by whoever waits for a step.
  void drain() noexcept {
    try {
      place_.stream.wait();
    } catch (const std::exception&) {
    }
    try {
      cache_.wait();
    } catch (const std::exception&) {
    }
  }

  std::shared_ptr<const loaded_model> model_;
  cuda_place place_;
  lane_memory memory_;
  cuda_transformer transformer_;
  cuda_cache cache_;
  cuda_scratch scratch_;
  cuda_step_input input_;
  cuda_graphs graphs_;
  cuda_sampler sampler_;
  std::array<const cuda_timeline::entry*, most_started_steps> under_way_{};
};

// A decode whose tokens fit one slice is one graph, its tokens included.
void cuda_lane::run(const device_step& step, const logits_observer& observer) {
  auto& stream = place_.stream;
  const auto rounded =
      sizes_of(step.batch.positions(), arch().context, scratch_.residual.rows);
  const auto rows = rounded.sizes.rows;
  const auto input = input_.load(step.batch, rounded, step.place, stream);
  const auto& slice = sampler_.plan(step.batch, 0, step.place);
  const bool chooses = rounded.is_decode && rows <= scratch_.logits.rows &&
                       slice.count() == step.batch.wanted() &&
                       slice.most_top() <= most_recorded_top && !observer;
  if (chooses)
    sampler_.send(step.place, rows, stream);
  const auto work = [&](cuda::stream& in) {
    sampler_.take(input, in);
    transformer_.forward(input, cache_, scratch_, in);
    if (chooses)
      sampler_.choose(transformer_.logits(0, rows, scratch_, in), slice, input,
                      in);
  };
  if (rounded.is_decode && place_.options.graphs)
    graphs_.run({.sizes = rounded.sizes,
                 .chooses = chooses,
                 .most_top = chooses ? slice.most_top() : 0},
                work, stream);
  else
    work(stream);
  if (chooses)
    sampler_.fetch(step.place, stream);
  else
    choose_slices(step, input, observer);
}

// The first is planned already. All but the last are waited for: they share
// what the next one needs.
void cuda_lane::choose_slices(const device_step& step, const cuda_step& input,
                              const logits_observer& observer) {
  auto& in = place_.stream;
  const auto all = static_cast<std::uint32_t>(step.batch.wanted());
  for (std::uint32_t first = 0; first < all;) {
    const auto& slice = first == 0
                            ? sampler_.planned(step.place)
                            : sampler_.plan(step.batch, first, step.place);
    const auto logits = transformer_.logits(first, slice.count(), scratch_, in);
    sampler_.send(step.place, slice.count(), in);
    sampler_.choose(logits, slice, input, in);
    sampler_.fetch(step.place, in);
    if (observer)
      show(step, slice, logits, observer);
    first += slice.count();
    if (first == all)
      return;
    in.wait();
    sampler_.collect(step.batch, step.place, step.answer);
  }
}

void cuda_lane::show(const device_step& step, const choice_slice& slice,
                     const cuda::device_rows& logits,
                     const logits_observer& observer) {
  const auto stride = static_cast<std::size_t>(logits.row_stride);
  std::vector<float> host(static_cast<std::size_t>(logits.rows) * stride);
  place_.stream.copy(host.data(), logits.data, host.size() * sizeof(float));
  place_.stream.wait();
  const auto end = slice.first() + slice.count();
  for (const auto& row : step.batch.rows())
    for (auto i = std::max(slice.first(), row.first_wanted);
         i < std::min(end, row.end_wanted()); ++i)
      observer({row.sequence->key(),
                row.position_of(i),
                {host.data() + std::size_t{i - slice.first()} * stride,
                 arch().vocab}});
}

} // namespace

cuda::memory_wishes cuda_lane_wishes(const loaded_model& model,
                                     const lane_options& options,
                                     const cuda_options& device) {
  auto one_page = options;
  one_page.kv_pages = 1;
  const auto page_bytes = kv_page_bytes(shape_of(model.arch, one_page));
  const work_bytes work{model.arch, options, device.mode};
  return {.gpu_fraction = device.memory_percent / 100.0,
          .weight_bytes = cuda_weight_bytes(model),
          .scratch_bytes = work.scratch + work.input + work.sampler,
          .staging_bytes = cuda_swaps::staging_bytes(
              page_bytes, options.host_slots, device.staging_bytes),
          .page_bytes = page_bytes,
          .wanted_pages = options.kv_pages};
}

std::unique_ptr<lane_device>
make_cuda_lane(std::shared_ptr<const loaded_model> model,
               const lane_options& options, const cuda_place& place,
               const progress_fn& progress) {
  return std::make_unique<cuda_lane>(std::move(model), options, place,
                                     progress);
}

} // namespace sluice
