// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/step_work.hpp"

#include "model/compute_device.hpp"

#include <algorithm>

namespace sluice::bench {

step_work::step_work(const loaded_model& model, const lane_options& lane) {
  const auto& arch = model.arch;
  const auto add = [&](const matrix_view& matrix, double& elements) {
    const auto rows = static_cast<double>(matrix.rows);
    elements += rows * static_cast<double>(matrix.columns);
    matrix_bytes_ +=
        rows * static_cast<double>(row_bytes(matrix.type, matrix.columns));
  };
  for (const auto& layer : model.tensors.layers)
    for (const auto* matrix : {&layer.q, &layer.k, &layer.v, &layer.o,
                               &layer.gate, &layer.up, &layer.down})
      add(*matrix, layer_elements_);
  add(model.tensors.lm_head, head_elements_);
  position_bytes_ = static_cast<double>(kv_page_bytes(shape_of(arch, lane))) /
                    lane.page_tokens;
  // Two products of head_dim multiply-adds each.
  attention_operations_ = 4.0 * arch.layers * arch.heads * arch.head_dim;
  integer_ = model.tensors.lm_head.type == dtype::w8a8;
}

double step_work::peak(const gpu_limits& limits) const {
  return integer_ ? limits.int8 : limits.bf16;
}

double step_work::prompt_seconds(double sequences, double tokens,
                                 const gpu_limits& limits) const {
  const auto products =
      2 * sequences * (layer_elements_ * tokens + head_elements_);
  const auto attention =
      sequences * attention_operations_ * tokens * (tokens + 1) / 2;
  const auto bytes = matrix_bytes_ + sequences * tokens * position_bytes_;
  return std::max(bytes / limits.read,
                  products / peak(limits) + attention / limits.bf16);
}

double step_work::decode_seconds(double sequences, double tokens, double steps,
                                 const gpu_limits& limits) const {
  const auto contexts = steps * (tokens + (steps + 1) / 2); // summed up
  const auto products =
      2 * sequences * steps * (layer_elements_ + head_elements_);
  const auto attention = sequences * contexts * attention_operations_;
  const auto bytes =
      steps * matrix_bytes_ + sequences * contexts * position_bytes_;
  return std::max(bytes / limits.read,
                  products / peak(limits) + attention / limits.bf16);
}

} // namespace sluice::bench
