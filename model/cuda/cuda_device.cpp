// SPDX-License-Identifier: Apache-2.0
#include "model/cuda/cuda_device.hpp"

#include "kernels/check.hpp"
#include "kernels/cuda/memory_plan.hpp"
#include "model/cuda/cuda_graphs.hpp"
#include "model/cuda/cuda_sampler.hpp"
#include "model/cuda/cuda_transformer.hpp"

#include <chrono>
#include <string>
#include <utility>
#include <variant>

namespace sluice {

namespace {

using clock = std::chrono::steady_clock;

std::uint32_t longest_table(const architecture& arch,
                            const lane_options& options) {
  return (arch.context + options.page_tokens - 1) / options.page_tokens;
}

cuda::device_facts find(int index) {
  const auto all = cuda::devices();
  std::string known;
  for (const auto& device : all) {
    if (device.index == index)
      return device;
    known += (known.empty() ? "" : ", ") + std::to_string(device.index) + " (" +
             device.name + ")";
  }
  throw contract_violation{
      all.empty()
          ? std::string{"there is no GPU that CUDA can use; choose "
                        "executor.device = cpu, or check the driver with "
                        "nvidia-smi"}
          : "there is no GPU " + std::to_string(index) + "; choose one of " +
                known};
}

/// What a cuda_lane works with.
struct cuda_place {
  cuda_options options;
  cuda::stream& stream;
};

/// A lane in a GPU's memory.
class cuda_lane : public lane_device {
public:
  cuda_lane(std::shared_ptr<const loaded_model> model,
            const lane_options& options, const cuda_place& place)
      : model_{std::move(model)}, place_{place},
        transformer_{arch(), upload_weights(*model_, place.stream),
                     place.options.mode},
        cache_{shape_of(arch(), options), options.host_slots},
        scratch_{arch(), options.max_step_tokens, place.options.mode,
                 place.stream},
        input_{options.max_step_tokens,
               longest_table(arch(), options),
               {.head_dim = arch().head_dim,
                .group = arch().heads / arch().kv_heads}},
        sampler_{arch().vocab,
                 static_cast<std::uint32_t>(scratch_.logits.rows)} {}

  void move_pages(const messages::StepPlan& plan) override {
    cache_.move_pages(plan, place_.stream);
    place_.stream.wait();
  }

  void run(const lane_batch& batch, const logits_observer& observer,
           step_answer& answer) override {
    const auto begin = clock::now();
    forward(batch.positions());
    answer.times().kernels += clock::now() - begin;
    sampler_.run(transformer_, scratch_, batch, observer, place_.stream,
                 answer);
    place_.stream.wait(); // a step that wants nothing is done, too
  }

  device_bytes bytes() const override {
    return {.kv = cache_.bytes(),
            .page = kv_page_bytes(cache_.shape()),
            .weights = transformer_.weights().memory.bytes()};
  }

private:
  const architecture& arch() const { return model_->arch; }

  void forward(const step_positions& positions) {
    const auto rounded =
        sizes_of(positions, arch().context, scratch_.residual.rows);
    const auto step = input_.load(positions, rounded, place_.stream);
    const auto work = [&](cuda::stream& in) {
      transformer_.forward(step, cache_, scratch_, in);
    };
    if (rounded.is_decode && place_.options.graphs)
      graphs_.run(rounded.sizes, work, place_.stream);
    else
      work(place_.stream);
  }

  std::shared_ptr<const loaded_model> model_;
  cuda_place place_;
  cuda_transformer transformer_;
  cuda_cache cache_;
  cuda_scratch scratch_;
  cuda_step_input input_;
  cuda_graphs graphs_;
  cuda_sampler sampler_;
};

} // namespace

cuda_device::cuda_device(const cuda_options& options)
    : options_{options}, facts_{find(options.index)} {
  cuda::use_device(options.index);
}

std::optional<std::uint64_t>
cuda_device::kv_bytes_beside(const loaded_model& model,
                             const lane_options& options) const {
  auto one_page = options;
  one_page.kv_pages = 1;
  const auto plan = cuda::plan_memory(
      find(options_.index), // with what is free now
      {.gpu_fraction = options_.memory_percent / 100.0,
       .weight_bytes = cuda_weight_bytes(model),
       .scratch_bytes = cuda_scratch::bytes_for(
           model.arch, options.max_step_tokens, options_.mode),
       .page_bytes = kv_page_bytes(shape_of(model.arch, one_page))});
  if (const auto* shortage = std::get_if<cuda::memory_shortage>(&plan))
    throw cuda::out_of_device_memory{shortage->text};
  return std::get<cuda::memory_plan>(plan).pages.bytes;
}

std::unique_ptr<lane_device>
cuda_device::make_lane(std::shared_ptr<const loaded_model> model,
                       const lane_options& options) {
  return std::make_unique<cuda_lane>(std::move(model), options,
                                     cuda_place{options_, stream_});
}

} // namespace sluice
