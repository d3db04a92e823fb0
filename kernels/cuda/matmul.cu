// SPDX-License-Identifier: Apache-2.0
#include "kernels/check.hpp"
#include "kernels/cuda/matmul_library.hpp"
#include "kernels/cuda/matmul_start.hpp"
#include "kernels/cuda/ops.hpp"

#include <algorithm>
#include <array>
#include <vector>

// The op: checks, and one launch for the projections of one form. Both modes
// of determinism run the same kernels, cut differently; fast mode leaves long
// prompts to a library where it can.

namespace sluice::cuda {

namespace {

constexpr weight_form forms[] = {
    weight_form::bf16,   weight_form::f16,  weight_form::q8_0,
    weight_form::q4_0,   weight_form::q4_k, weight_form::q6_k,
    weight_form::block8, weight_form::w8a8, weight_form::fp8};

using projections = std::span<const device_projection>;

bool aligned(const void* pointer) {
  return reinterpret_cast<std::uintptr_t>(pointer) % 16 == 0;
}

std::int64_t outputs_of(projections all) {
  std::int64_t sum = 0;
  for (const auto& one : all)
    sum += one.weight.rows;
  return sum;
}

void check(const matmul_args& args, const device_projection& one) {
  const auto& out = one.out;
  require(operand_type(one.weight.form) == args.x.type,
          "matmul: x must have the operand type of every weight");
  require(one.weight.columns == args.x.columns,
          "matmul: x must be as wide as every weight");
  device_weight_bytes(one.weight.form, one.weight.rows, one.weight.columns);
  require(one.weight.data != nullptr && aligned(one.weight.data),
          "matmul: a weight must be device memory, 16-byte aligned");
  require(out.rows == args.x.rows && out.columns == one.weight.rows &&
              out.row_stride >= out.columns && out.row_stride % 4 == 0,
          "matmul: out must be [M, N], its stride a multiple of 4");
  require(out.data != nullptr && aligned(out.data),
          "matmul: out must be device memory, 16-byte aligned");
}

void check(const matmul_args& args) {
  require(args.x.rows >= 0 && args.x.columns % 16 == 0,
          "matmul: x must have a multiple of 16 columns");
  require(args.x.rows == 0 || (args.x.data != nullptr && aligned(args.x.data)),
          "matmul: x must be device memory, 16-byte aligned");
  require(!is_scaled(args.x.type) || args.x.rows == 0 ||
              args.x.scales != nullptr,
          "matmul: x of i8 or fp8 needs its scales");
  for (const auto& one : args.projections)
    if (args.x.rows > 0)
      check(args, one);
  require(args.workspace == nullptr ||
              (aligned(args.workspace) &&
               args.workspace_bytes >=
                   matmul_workspace_bytes(args.x.rows,
                                          outputs_of(args.projections))),
          "matmul: the workspace is too small; ask matmul_workspace_bytes");
}

// Asked once: all devices of a process are alike.
const device_facts& first_device() {
  static const device_facts facts = [] {
    const auto all = devices();
    return all.empty() ? device_facts{.processors = 1} : all[0];
  }();
  return facts;
}

std::int32_t narrow(std::int64_t value) {
  return static_cast<std::int32_t>(value);
}

matmul_plan plan_for(const matmul_args& args, projections some) {
  std::array<std::int64_t, most_projections> rows{};
  for (std::size_t i = 0; i < some.size(); ++i)
    rows[i] = some[i].weight.rows;
  return plan_matmul(
      {.form = some[0].weight.form,
       .tokens = args.x.rows,
       .rows = std::span{rows}.first(some.size()),
       .columns = args.x.columns,
       .workspace_bytes = args.workspace ? args.workspace_bytes : 0,
       .shared_bytes = first_device().shared_bytes,
       .mode = args.mode,
       .processors = first_device().processors});
}

matmul_part part_for(const device_projection& one, int slices, int parts) {
  const auto& weight = one.weight;
  return {.weight = weight.data,
          .bias = one.bias,
          .out = one.out.data,
          .out_stride = one.out.row_stride,
          .tile_bytes = tile_bytes(layout_of(weight.form), weight.columns),
          .rows = narrow(weight.rows),
          .tiles = narrow(tiles_of(weight.rows)),
          .slices = slices,
          .parts = parts};
}

// Counters first, then sums: each tile of an output has a counter and, for
// each slice, its sums.
void give_workspace(const matmul_plan& plan, matmul_job& job,
                    std::byte* workspace) {
  if (plan.workspace_bytes == 0)
    return;
  auto* counters = reinterpret_cast<std::int32_t*>(workspace);
  auto* sums = workspace + counter_bytes;
  for (int i = 0; i < job.part_count; ++i) {
    auto& part = job.parts[i];
    part.counters = counters;
    part.sums = sums;
    const auto tiles = plan.blocks[i] / part.parts;
    counters += tiles;
    sums += tiles * part.slices * plan.tile_sum_bytes;
  }
}

matmul_job job_for(const matmul_args& args, projections some,
                   const matmul_plan& plan) {
  const auto form = some[0].weight.form;
  const auto element = is_scaled(args.x.type) ? 1 : 2;
  matmul_job job{.x = args.x.data,
                 .x_scales = args.x.scales,
                 .x_bytes = args.x.columns * element,
                 .columns = args.x.columns,
                 .tokens = narrow(args.x.rows),
                 .chunks = narrow(chunks_of(layout_of(form), args.x.columns)),
                 .part_count = narrow(static_cast<std::int64_t>(some.size())),
                 .parts = {}};
  std::int64_t block = 0;
  for (std::size_t i = 0; i < some.size(); ++i) {
    job.parts[i] = part_for(some[i], plan.slices[i], plan.parts[i]);
    job.parts[i].first_block = block;
    block += plan.blocks[i];
  }
  give_workspace(plan, job, args.workspace);
  return job;
}

void start(weight_form form, const matmul_job& job, const matmul_plan& plan,
           stream& in) {
  switch (form) {
  case weight_form::bf16:
    return start_matmul<weight_form::bf16>(job, plan, in);
  case weight_form::f16:
    return start_matmul<weight_form::f16>(job, plan, in);
  case weight_form::q8_0:
    return start_matmul<weight_form::q8_0>(job, plan, in);
  case weight_form::q4_0:
    return start_matmul<weight_form::q4_0>(job, plan, in);
  case weight_form::q4_k:
    return start_matmul<weight_form::q4_k>(job, plan, in);
  case weight_form::q6_k:
    return start_matmul<weight_form::q6_k>(job, plan, in);
  case weight_form::block8:
    return start_matmul<weight_form::block8>(job, plan, in);
  case weight_form::w8a8:
    return start_matmul<weight_form::w8a8>(job, plan, in);
  case weight_form::fp8:
    return start_matmul<weight_form::fp8>(job, plan, in);
  }
}

} // namespace

void matmul(const matmul_args& args, stream& in) {
  check(args);
  if (args.x.rows == 0)
    return;
  for (const auto form : forms) {
    std::vector<device_projection> same;
    std::copy_if(args.projections.begin(), args.projections.end(),
                 std::back_inserter(same), [&](const auto& one) {
                   return one.weight.form == form &&
                          !multiply_by_library(args, one, in);
                 });
    for (std::size_t first = 0; first < same.size();
         first += most_projections) {
      const auto some = projections{same}.subspan(
          first, std::min<std::size_t>(same.size() - first, most_projections));
      const auto plan = plan_for(args, some);
      start(form, job_for(args, some, plan), plan, in);
    }
  }
}

} // namespace sluice::cuda
