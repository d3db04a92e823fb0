// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "tools/bench/kernels/cases.hpp"
#include "tools/bench/kernels/float_buffer.hpp"
#include "tools/bench/kernels/weight_set.hpp"

namespace sluice::bench {
namespace {

/// Matrices of a layer that multiply the same activations.
struct matrix_group {
  const char* name;
  std::vector<matrix_shape> matrices;
};

std::vector<matrix_group> groups_of(const model_shape& s) {
  const auto q = s.heads * s.head_dim;
  const auto kv = s.kv_heads * s.head_dim;
  return {{"q|k|v", {{q, s.hidden}, {kv, s.hidden}, {kv, s.hidden}}},
          {"o", {{s.hidden, q}}},
          {"gate|up", {{s.ffn, s.hidden}, {s.ffn, s.hidden}}},
          {"down", {{s.hidden, s.ffn}}}};
}

peak_kind peak_of(dtype type) {
  if (type == dtype::bf16)
    return peak_kind::bf16;
  return type == dtype::f32 || type == dtype::f16 ? peak_kind::f32
                                                  : peak_kind::int8;
}

double operations_of(const matrix_group& group, std::int64_t m) {
  double products = 0;
  for (const auto& shape : group.matrices)
    products +=
        static_cast<double>(shape.rows) * static_cast<double>(shape.columns);
  return 2 * static_cast<double>(m) * products;
}

/// One group: its weights, and what all products of its shape need.
class group_bench {
public:
  group_bench(const kernels_under_test& under, const matrix_group& group,
              dtype type)
      : under_{under}, group_{group}, weights_{type, group.matrices,
                                               beyond_caches(),
                                               under.ops.packing, under.pool} {}

  /// Makes room for M rows.
  void prepare(std::int64_t m) {
    const auto& first = group_.matrices.front();
    x_ = std::make_unique<float_buffer>(m, first.columns);
    outs_.clear();
    buffers_.clear();
    for (const auto& shape : group_.matrices) {
      buffers_.push_back(std::make_unique<float_buffer>(m, shape.rows));
      outs_.push_back(buffers_.back()->next());
    }
    workspace_ =
        mapping{matmul_workspace_bytes(weights_.next_layer().front(), m),
                "benchmark workspace"};
  }

  void run() {
    call_matmul(under_, x_->next(), weights_.next_layer(), outs_,
                {workspace_.data(), workspace_.bytes()});
  }

  const matrix_group& group() const { return group_; }
  const weight_set& weights() const { return weights_; }

private:
  const kernels_under_test& under_;
  const matrix_group& group_;
  weight_set weights_;
  std::unique_ptr<float_buffer> x_;
  std::vector<std::unique_ptr<float_buffer>> buffers_;
  std::vector<activations> outs_;
  mapping workspace_;
};

op_case case_of(group_bench& bench, dtype type, std::int64_t m) {
  return {.op = "matmul",
          .type = std::string{name(type)},
          .layout = bench.weights().layout() == weight_layout::panels ? "panels"
                                                                      : "rows",
          .shape = bench.group().name,
          .m = m,
          .bytes = static_cast<double>(bench.weights().layer_bytes()),
          .operations = operations_of(bench.group(), m),
          .peak = peak_of(type),
          .run = [&bench] { bench.run(); }};
}

/// All groups in the order of a layer.
op_case whole_layer(const std::vector<op_case>& parts) {
  auto whole = parts.front();
  whole.shape = "layer";
  whole.bytes = whole.operations = 0;
  for (const auto& part : parts) {
    whole.bytes += part.bytes;
    whole.operations += part.operations;
  }
  whole.run = [&parts] {
    for (const auto& part : parts)
      part.run();
  };
  return whole;
}

} // namespace

void matmul_cases(const kernels_under_test& under, const case_choice& choice,
                  dtype type, const take_case& take) {
  const auto groups = groups_of(choice.shape);
  std::vector<std::unique_ptr<group_bench>> benches;
  for (const auto& group : groups)
    benches.push_back(std::make_unique<group_bench>(under, group, type));
  for (const auto m : choice.rows) {
    std::vector<op_case> parts;
    for (const auto& bench : benches) {
      bench->prepare(m);
      parts.push_back(case_of(*bench, type, m));
    }
    take(whole_layer(parts));
    if (choice.each_matrix)
      for (const auto& part : parts)
        take(part);
  }
}

} // namespace sluice::bench
