// SPDX-License-Identifier: Apache-2.0
#include "model/weights.hpp"

#include "model/weight_loader.hpp"
#include "model/weight_plan.hpp"

namespace sluice {

namespace {

void set_view(const weight_placement& weight, const std::byte* memory) {
  const std::byte* data = memory + weight.offset;
  if (const auto* matrix = std::get_if<matrix_view*>(&weight.target))
    **matrix = {.data = data,
                .type = weight.stored,
                .rows = static_cast<std::int64_t>(weight.source.rows),
                .columns = static_cast<std::int64_t>(weight.source.columns),
                .row_stride_bytes = weight.stride_bytes,
                .layout = weight.layout};
  else
    *std::get<std::span<const float>*>(weight.target) = {
        reinterpret_cast<const float*>(data), weight.source.columns};
}

mapping allocate(std::uint64_t bytes, const std::string& model) {
  try {
    return {bytes, "weights of " + model};
  } catch (const memory_error& error) {
    throw model_error(model_fault::out_of_memory, {model, ""}, error.what(),
                      "use a smaller model or a smaller weight type");
  }
}

} // namespace

weights load_weights(const checkpoint& model, const architecture& arch,
                     const load_options& options) {
  weights loaded;
  const auto plan = plan_weights(model, arch, options, loaded);
  loaded.memory = allocate(plan.bytes, model.label());
  fill_weights(model, plan, options, loaded.memory.data());
  for (const auto& weight : plan.placements)
    set_view(weight, loaded.memory.data());
  if (arch.tied_embeddings)
    loaded.lm_head = loaded.embed;
  return loaded;
}

std::uint64_t weight_bytes(const checkpoint& model, const architecture& arch,
                           const load_options& options) {
  weights unused;
  return plan_weights(model, arch, options, unused).bytes;
}

} // namespace sluice
