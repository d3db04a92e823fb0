// SPDX-License-Identifier: Apache-2.0
#include "model/cpu_device.hpp"

#include "kernels/select.hpp"
#include "memory/kv_store.hpp"
#include "model/page_mover.hpp"
#include "model/sampler.hpp"
#include "model/transformer.hpp"

#include <chrono>
#include <utility>

namespace sluice {

namespace {

/// A lane in this machine's memory.
class cpu_lane : public lane_device, private logits_source {
public:
  cpu_lane(std::shared_ptr<const loaded_model> model,
           const lane_options& options, const op_table& ops, thread_pool& pool)
      : transformer_{std::move(model), ops}, cache_{shape_of(arch(), options)},
        mover_{cache_.shape(), options.host_slots},
        scratch_{transformer_.model(), options.max_step_tokens},
        sampler_{ops, arch().vocab}, pool_{&pool} {}

  const step_end* start(const messages::StepPlan& plan,
                        const logits_observer& observer,
                        const device_step& step) override {
    if (plan.swaps_out() || plan.swaps_in() || plan.copies())
      move_pages(plan, step.answer);
    if (!step.batch.rows().empty())
      run(step.batch, observer, step.answer);
    return nullptr;
  }

  void finish(const device_step&) override {}

  device_bytes bytes() const override {
    return {.kv = cache_.bytes(),
            .page = kv_page_bytes(cache_.shape()),
            .weights = transformer_.model().tensors.memory.bytes()};
  }

private:
  using clock = std::chrono::steady_clock;

  const architecture& arch() const { return transformer_.model().arch; }

  void move_pages(const messages::StepPlan& plan, step_answer& answer) {
    const auto begin = clock::now();
    mover_.carry_out(plan, cache_);
    answer.times().moves += clock::now() - begin;
  }

  void run(const lane_batch& batch, const logits_observer& observer,
           step_answer& answer) {
    const auto begin = clock::now();
    transformer_.forward(batch.positions(), cache_, scratch_, *pool_);
    answer.times().kernels += clock::now() - begin;
    sampler_.run({*this, batch, *pool_, observer}, answer);
  }

  std::uint32_t most_rows() const override {
    return static_cast<std::uint32_t>(scratch_.logit_rows());
  }
  activations logits(std::uint32_t first, std::uint32_t count) override {
    return transformer_.logits(first, count, scratch_, *pool_);
  }

  transformer transformer_;
  kv_store cache_;
  page_mover mover_;
  transformer_scratch scratch_;
  sampler sampler_;
  thread_pool* pool_;
};

} // namespace

cpu_device::cpu_device(const engine_options& options)
    : ops_{&select(options.isa.value_or(detect()))},
      pool_{{.threads = options.threads, .pin = options.pin}} {}

std::string cpu_device::name() const {
  return std::string{sluice::name(ops_->isa)};
}

std::unique_ptr<lane_device>
cpu_device::make_lane(std::shared_ptr<const loaded_model> model,
                      const lane_options& options,
                      const progress_fn& /*nothing is copied*/) {
  return std::make_unique<cpu_lane>(std::move(model), options, *ops_, pool_);
}

} // namespace sluice
