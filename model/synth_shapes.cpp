// SPDX-License-Identifier: Apache-2.0
#include "model/synth_shapes.hpp"

#include "model/checkpoint/checkpoint.hpp"
#include "model/synth.hpp"

namespace sluice {

namespace {

// The published configurations of JackFram/llama-160m, TinyLlama 1.1B and
// Llama-3.1-8B; mixtral-small is our own.
constexpr synth_shape shapes[] = {
    {"llama-160m", 768, 12, 12, 12, 3'072, 2'048, 32'000, 1e-6f, 10'000},
    {"llama-1b", 2'048, 22, 32, 4, 5'632, 2'048, 32'000, 1e-5f, 10'000},
    {"llama-8b", 4'096, 32, 32, 8, 14'336, 131'072, 128'256, 1e-5f, 500'000},
    {"mixtral-small", 1'024, 8, 16, 4, 2'048, 4'096, 32'000, 1e-5f, 1'000'000,
     8, 2},
};

std::string shape_list() {
  std::string list;
  for (const auto& shape : shapes)
    list.append(list.empty() ? "" : ", ").append(shape.name);
  return list;
}

} // namespace

const synth_shape& find_synth_shape(const std::string& name) {
  for (const auto& shape : shapes)
    if (shape.name == name)
      return shape;
  throw model_error(model_fault::unsupported, {name, ""}, "unknown shape",
                    "known shapes: " + shape_list());
}

std::vector<std::string_view> synth_shapes() {
  std::vector<std::string_view> names;
  for (const auto& shape : shapes)
    names.push_back(shape.name);
  return names;
}

} // namespace sluice
