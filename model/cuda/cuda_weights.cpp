// SPDX-License-Identifier: Apache-2.0
#include "model/cuda/cuda_weights.hpp"

#include "kernels/check.hpp"
#include "kernels/convert.hpp"
#include "model/bare_model.hpp"
#include "model/cuda/cuda_inventor.hpp"
#include "model/cuda/cuda_uploader.hpp"

#include <algorithm>
#include <cstring>
#include <functional>
#include <span>
#include <vector>

namespace sluice {

namespace {

using cuda::weight_form;

constexpr std::uint64_t alignment = 256;
constexpr std::uint64_t tile_rows = 16; // of device_tile_bytes()

/// One array on its way to the device.
struct placement {
  made_array array;                            // by the host
  std::function<void(const std::byte*)> place; // its device address
  // Of a bare matrix, in the place of array.write: on the device.
  std::function<void(cuda_inventor&, std::byte*, cuda::stream&)> invent;
};

/// Some rows of a matrix.
matrix_view rows_of(const matrix_view& all, std::uint64_t first,
                    std::uint64_t count) {
  auto part = all;
  const auto left = static_cast<std::uint64_t>(all.rows) - first;
  part.data += first * all.row_stride_bytes;
  part.rows = static_cast<std::int64_t>(std::min(count, left));
  return part;
}

/// Rows of a matrix, one by one, as bf16 or f16.
void narrow_rows(const matrix_view& from, dtype type, std::span<std::byte> to) {
  std::vector<float> row(static_cast<std::size_t>(from.columns));
  auto* out = to.data();
  for (std::int64_t i = 0; i < from.rows; ++i) {
    dequantize_row(from.type, from.data + i * from.row_stride_bytes, row);
    quantize_row(type, row, out);
    out += row_bytes(type, from.columns);
  }
}

/// The upload of one model, array by array.
class upload_plan {
public:
  upload_plan(const loaded_model& model, cuda_weights& to) {
    const auto& tensors = model.tensors;
    to.layers.resize(tensors.layers.size());
    to.embed_type = tensors.embed.type == dtype::f16 ? dtype::f16 : dtype::bf16;
    add_embedding(tensors.embed, to);
    for (std::size_t i = 0; i < tensors.layers.size(); ++i)
      add_layer(tensors.layers[i], to.layers[i]);
    add_vector(tensors.final_norm, to.final_norm);
    add_matrices({{&tensors.lm_head, &to.lm_head}});
    frequencies_ = rope_frequencies(model.arch.rope, tensors.rope_divisors);
    add_vector(frequencies_, to.inv_freq);
  }

  std::span<const placement> placements() const { return placements_; }

  std::uint64_t bytes() const {
    std::uint64_t sum = 0;
    for (const auto& each : placements_)
      sum += aligned(each.array.bytes);
    return sum;
  }

  std::uint64_t largest_unit() const {
    std::uint64_t largest = 0;
    for (const auto& each : placements_)
      largest = std::max(largest, each.array.unit_bytes);
    return largest;
  }

  static std::uint64_t aligned(std::uint64_t bytes) {
    return (bytes + alignment - 1) / alignment * alignment;
  }

private:
  struct matrix {
    const matrix_view* from;
    cuda::device_weight* to;
  };

  void add_embedding(const matrix_view& from, cuda_weights& to) {
    const auto row = row_bytes(to.embed_type, from.columns);
    placements_.push_back(
        {{.bytes = row * static_cast<std::uint64_t>(from.rows),
          .unit_bytes = row,
          .write =
              [&from, row, type = to.embed_type](std::uint64_t first,
                                                 std::span<std::byte> out) {
                narrow_rows(rows_of(from, first, out.size() / row), type, out);
              }},
         [&to](const std::byte* at) { to.embed = at; },
         [&from, type = to.embed_type](cuda_inventor& inventor, std::byte* at,
                                       cuda::stream& in) {
           inventor.embedding(type, from.rows, from.columns, at, in);
         }});
    leave_one(from);
  }

  void add_layer(const layer_weights& from, cuda_layer& to) {
    add_matrices({{&from.q, &to.q}, {&from.k, &to.k}, {&from.v, &to.v}});
    add_matrices({{&from.o, &to.o}});
    add_matrices({{&from.gate, &to.gate}, {&from.up, &to.up}});
    add_matrices({{&from.down, &to.down}});
    add_vector(from.attn_norm, to.attn_norm);
    add_vector(from.ffn_norm, to.ffn_norm);
    add_vector(from.q_bias, to.q_bias);
    add_vector(from.k_bias, to.k_bias);
    add_vector(from.v_bias, to.v_bias);
  }

  void add_vector(std::span<const float> from, const float*& to) {
    if (from.empty())
      return;
    placements_.push_back(
        {{.bytes = from.size_bytes(),
          .unit_bytes = sizeof(float),
          .write =
              [from](std::uint64_t first, std::span<std::byte> out) {
                std::memcpy(out.data(), from.data() + first, out.size());
              }},
         [&to](const std::byte* at) {
           to = reinterpret_cast<const float*>(at);
         }});
  }

  // Those that multiply the same x.
  void add_matrices(const std::vector<matrix>& group) {
    const auto operand_of = [](const matrix& m) {
      return cuda::operand_type(cuda::form_of(m.from->type));
    };
    const bool alike = std::all_of(group.begin(), group.end(), [&](auto& m) {
      return operand_of(m) == operand_of(group.front());
    });
    for (const auto& [from, to] : group)
      add_matrix(*from, alike ? cuda::form_of(from->type) : weight_form::bf16,
                 *to);
  }

  void add_matrix(const matrix_view& from, weight_form form,
                  cuda::device_weight& to) {
    require(from.layout == weight_layout::rows,
            "cuda: load weights for a GPU in rows, without packing");
    to = {nullptr, form, from.rows, from.columns};
    const auto tile = cuda::device_tile_bytes(form, from.columns);
    placements_.push_back(
        {{.bytes = cuda::device_weight_bytes(form, from.rows, from.columns),
          .unit_bytes = tile,
          .write =
              [&from, form, tile](std::uint64_t first,
                                  std::span<std::byte> out) {
                pack(rows_of(from, first * tile_rows,
                             out.size() / tile * tile_rows),
                     form, out);
              }},
         [&to](const std::byte* at) { to.data = at; },
         [&from](cuda_inventor& inventor, std::byte* at, cuda::stream& in) {
           inventor.weight(from.type, from.rows, from.columns, at, in);
         }});
    leave_one(from);
  }

  // Of the two ways to make the last array.
  void leave_one(const matrix_view& from) {
    if (is_bare(from))
      placements_.back().array.write = nullptr;
    else
      placements_.back().invent = nullptr;
  }

  static void pack(const matrix_view& from, weight_form form,
                   std::span<std::byte> out) {
    if (cuda::form_of(from.type) == form)
      return cuda::pack_device_weight(from, out);
    const auto stride = row_bytes(dtype::bf16, from.columns);
    std::vector<std::byte> narrow(stride * static_cast<std::size_t>(from.rows));
    narrow_rows(from, dtype::bf16, narrow);
    cuda::pack_device_weight({.data = narrow.data(),
                              .type = dtype::bf16,
                              .rows = from.rows,
                              .columns = from.columns,
                              .row_stride_bytes = stride},
                             out);
  }

  std::vector<placement> placements_;
  std::vector<float> frequencies_;
};

} // namespace

std::uint64_t cuda_weight_bytes(const loaded_model& model) {
  cuda_weights unused;
  return upload_plan{model, unused}.bytes();
}

cuda_weights upload_weights(const loaded_model& model,
                            std::span<std::byte> device,
                            const upload_options& options, cuda::stream& in) {
  cuda_weights loaded;
  const upload_plan plan{model, loaded};
  const auto total = plan.bytes();
  require(device.size() >= total,
          "cuda: too little memory for the weights; ask cuda_weight_bytes()");
  loaded.bytes = total;
  const auto tell = [&](std::uint64_t done) {
    if (options.progress)
      options.progress(done, total);
  };
  tell(0);
  cuda_uploader uploader{options.threads, plan.largest_unit(), in};
  cuda_inventor inventor;
  std::uint64_t done = 0;
  for (const auto& [array, place, invent] : plan.placements()) {
    auto* at = device.data() + done;
    if (invent) {
      invent(inventor, at, in);
      tell(done + array.bytes);
    } else {
      uploader.send(array, at, [&](std::uint64_t sent) { tell(done + sent); });
    }
    place(at);
    done += upload_plan::aligned(array.bytes);
  }
  uploader.finish(); // with what the inventor has
  tell(total);
  return loaded;
}

} // namespace sluice
