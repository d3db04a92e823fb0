// SPDX-License-Identifier: Apache-2.0
#include "model/weights.hpp"

#include "kernels/convert.hpp"
#include "model/weight_plan.hpp"

#include <algorithm>
#include <cmath>

namespace sluice {

namespace {

constexpr std::uint64_t chunk_bytes = 8u << 20;

class loader {
public:
  loader(const checkpoint& model, const weight_plan& plan, std::byte* memory,
         const progress_fn& progress)
      : model_(model), plan_(plan), memory_(memory), progress_(progress) {
    for (const auto& placement : plan.placements)
      total_bytes_ += placement.tensor->bytes;
  }

  void run() {
    report(0);
    for (const auto& placement : plan_.placements) {
      if (placement.tensor->type->usable == placement.stored)
        copy(placement);
      else
        convert(placement);
      bind(placement);
    }
  }

private:
  void copy(const weight_placement& placement);
  void convert(const weight_placement& placement);
  void check_finite(std::span<const float> row,
                    const weight_placement& placement) const;
  void bind(const weight_placement& placement) const;
  void report(std::uint64_t more_bytes) {
    done_bytes_ += more_bytes;
    if (progress_)
      progress_(done_bytes_, total_bytes_);
  }

  const checkpoint& model_;
  const weight_plan& plan_;
  std::byte* memory_;
  const progress_fn& progress_;
  std::uint64_t done_bytes_ = 0;
  std::uint64_t total_bytes_ = 0;
};

void loader::copy(const weight_placement& placement) {
  const std::span out(memory_ + placement.offset, placement.bytes);
  for (std::uint64_t at = 0; at < out.size(); at += chunk_bytes) {
    const auto part = out.subspan(at, std::min(chunk_bytes, out.size() - at));
    model_.read(*placement.tensor, at, part);
    report(part.size());
  }
}

void loader::convert(const weight_placement& placement) {
  const auto columns = static_cast<std::int64_t>(placement.columns);
  const dtype from = *placement.tensor->type->usable;
  const std::uint64_t row_in = row_bytes(from, columns);
  const std::uint64_t row_out = row_bytes(placement.stored, columns);
  const std::uint64_t chunk_rows =
      std::max<std::uint64_t>(1, chunk_bytes / row_in);
  std::vector<std::byte> packed(row_in * std::min(chunk_rows, placement.rows));
  std::vector<float> row(placement.columns);
  std::byte* out = memory_ + placement.offset;
  for (std::uint64_t first = 0; first < placement.rows; first += chunk_rows) {
    const auto rows = std::min(chunk_rows, placement.rows - first);
    const auto part = std::span(packed).first(rows * row_in);
    model_.read(*placement.tensor, first * row_in, part);
    for (std::uint64_t i = 0; i < rows; ++i, out += row_out) {
      dequantize_row(from, part.data() + i * row_in, row);
      check_finite(row, placement);
      quantize_row(placement.stored, row, out);
    }
    report(part.size());
  }
}

/// A block with one infinity or NaN would quantise to nothing else.
void loader::check_finite(std::span<const float> row,
                          const weight_placement& placement) const {
  if (std::ranges::all_of(row, [](float x) { return std::isfinite(x); }))
    return;
  throw model_error(model_fault::malformed,
                    {model_.label(), "tensor '" + placement.name + "'"},
                    "an element is infinite or not a number", download_again);
}

void loader::bind(const weight_placement& placement) const {
  const std::byte* data = memory_ + placement.offset;
  const auto columns = static_cast<std::int64_t>(placement.columns);
  if (const auto* matrix = std::get_if<matrix_view*>(&placement.target))
    **matrix = {.data = data,
                .type = placement.stored,
                .rows = static_cast<std::int64_t>(placement.rows),
                .columns = columns,
                .row_stride_bytes = row_bytes(placement.stored, columns)};
  else
    *std::get<std::span<const float>*>(placement.target) = {
        reinterpret_cast<const float*>(data), placement.columns};
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
  const auto plan = plan_weights(model, arch, options.weight_type, loaded);
  loaded.memory = allocate(plan.bytes, model.label());
  loader(model, plan, loaded.memory.data(), options.progress).run();
  if (arch.tied_embeddings)
    loaded.lm_head = loaded.embed;
  return loaded;
}

std::uint64_t weight_bytes(const checkpoint& model, const architecture& arch,
                           std::optional<dtype> weight_type) {
  weights unused;
  return plan_weights(model, arch, weight_type, unused).bytes;
}

} // namespace sluice
