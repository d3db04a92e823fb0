// SPDX-License-Identifier: Apache-2.0
#include "model/stored_matrix.hpp"

#include "kernels/convert.hpp"
#include "model/weight_names.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace sluice {

namespace {

std::string subject_of(std::string_view name) {
  return "tensor '" + std::string(name) + "'";
}

void check_shape(const std::string& file, const tensor_info& tensor,
                 std::span<const std::uint64_t> wanted) {
  const auto found = tensor.dimensions();
  if (std::ranges::equal(wanted, found))
    return;
  throw model_error(model_fault::bad_shape, {file, subject_of(tensor.name)},
                    "expected shape " + shape_text(wanted) + ", found " +
                        shape_text(found),
                    "the configuration and the weights do not belong together");
}

bool is_real(dtype type) {
  return type == dtype::f32 || type == dtype::f16 || type == dtype::bf16;
}

/// What bytes are with a scale beside them.
std::optional<dtype> scaled_type(std::string_view name) {
  if (name == "I8")
    return dtype::w8a8;
  if (name == "F8_E4M3")
    return dtype::fp8;
  return std::nullopt;
}

/// Whether a tensor is one number: [], [1] or [1, 1].
bool is_one(const tensor_info& tensor) {
  return std::ranges::all_of(tensor.dimensions(),
                             [](std::uint64_t extent) { return extent == 1; });
}

/// [rows] or [rows, 1], or of fp8 a single one.
const tensor_info* find_scales(const checkpoint& model,
                               const tensor_info& matrix, dtype type) {
  const auto name = scale_name(matrix.name);
  const auto* scales = model.find(name);
  const auto file = model.label();
  if (!scales)
    throw model_error(model_fault::missing, {file, subject_of(name)},
                      "an " + std::string(matrix.type->name) +
                          " matrix needs one scale for each of its rows",
                      "quantise the model per channel, symmetrically, or "
                      "convert it to another type");
  const std::uint64_t column[] = {matrix.shape[0], 1};
  const bool two = scales->rank == 2;
  if (type != dtype::fp8 || !is_one(*scales))
    check_shape(file, *scales, std::span(column).first(two ? 2 : 1));
  const auto usable = scales->type->usable;
  if (!usable || !is_real(*usable))
    throw model_error(model_fault::unsupported, {file, subject_of(name)},
                      "scales of type " + std::string(scales->type->name) +
                          " are not supported",
                      "store them as F32, F16 or BF16");
  return scales;
}

std::vector<float> read_scales(const checkpoint& model,
                               const tensor_info& scales, std::uint64_t first,
                               std::uint64_t count) {
  const dtype type = *scales.type->usable;
  const auto size = block_bytes(type);
  const bool one = is_one(scales);
  std::vector<float> values(one ? 1 : count);
  std::vector<std::byte> packed(values.size() * size);
  model.read(scales, one ? 0 : first * size, packed);
  dequantize_row(type, packed.data(), values);
  values.resize(count, values.front());
  if (!quantisable(dtype::w8a8, values)) // any finite number will do
    throw model_error(model_fault::malformed,
                      {model.label(), subject_of(scales.name)},
                      "a scale is infinite or not a number", download_again);
  return values;
}

/// NaN is the only 8-bit float that is no number, and kernels need not heed it.
void check_numbers(const checkpoint& model, const tensor_info& tensor,
                   std::span<const std::byte> elements) {
  constexpr std::byte nan{0x7f};
  if (std::ranges::any_of(elements,
                          [](std::byte b) { return (b & nan) == nan; }))
    throw model_error(model_fault::malformed,
                      {model.label(), subject_of(tensor.name)},
                      "an element is not a number", download_again);
}

} // namespace

std::optional<stored_matrix> find_matrix(const checkpoint& model,
                                         const std::string& name,
                                         std::span<const std::uint64_t> shape) {
  const auto* tensor = model.find(name);
  if (!tensor)
    return std::nullopt;
  check_shape(model.label(), *tensor, shape);
  stored_matrix found{.tensor = tensor,
                      .rows = shape.size() == 2 ? shape[0] : 1,
                      .columns = shape.back()};
  const auto& type = *tensor->type;
  const auto scaled = scaled_type(type.name);
  if (scaled && shape.size() == 2) {
    found.scales = find_scales(model, *tensor, *scaled);
    found.type = *scaled;
    return found;
  }
  if (!type.usable)
    throw model_error(
        model_fault::unsupported, {model.label(), subject_of(name)},
        "type " + std::string(type.name) + " is not supported",
        "convert the model to one of " + std::string(usable_type_list()));
  found.type = *type.usable;
  return found;
}

void read_rows(const checkpoint& model, const stored_matrix& matrix,
               std::uint64_t first, std::uint64_t count,
               std::span<std::byte> out) {
  const auto columns = static_cast<std::int64_t>(matrix.columns);
  if (!matrix.scales) {
    model.read(*matrix.tensor, first * row_bytes(matrix.type, columns), out);
    return;
  }
  // The quants are read into the end of `out`, then moved up row by row.
  const auto scales = read_scales(model, *matrix.scales, first, count);
  const auto quants = out.last(count * matrix.columns);
  model.read(*matrix.tensor, first * matrix.columns, quants);
  if (matrix.type == dtype::fp8)
    check_numbers(model, *matrix.tensor, quants);
  const auto stride = row_bytes(matrix.type, columns);
  for (std::uint64_t row = 0; row < count; ++row) {
    std::byte* to = &out[row * stride];
    std::memmove(to, &quants[row * matrix.columns], matrix.columns);
    std::memcpy(to + matrix.columns, &scales[row], sizeof(float));
  }
}

} // namespace sluice
