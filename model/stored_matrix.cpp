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

/// The scales of an I8 matrix: [rows] or [rows, 1].
const tensor_info* find_scales(const checkpoint& model,
                               const tensor_info& matrix) {
  const auto name = scale_name(matrix.name);
  const auto* scales = model.find(name);
  const auto file = model.label();
  if (!scales)
    throw model_error(model_fault::missing, {file, subject_of(name)},
                      "an I8 matrix needs one scale for each of its rows",
                      "quantise the model per channel, symmetrically, or "
                      "convert it to another type");
  const std::uint64_t column[] = {matrix.shape[0], 1};
  const bool two = scales->rank == 2;
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
  std::vector<std::byte> packed(count * size);
  std::vector<float> values(count);
  model.read(scales, first * size, packed);
  dequantize_row(type, packed.data(), values);
  if (!quantisable(dtype::w8a8, values)) // any finite number will do
    throw model_error(model_fault::malformed,
                      {model.label(), subject_of(scales.name)},
                      "a scale is infinite or not a number", download_again);
  return values;
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
  if (type.name == "I8" && shape.size() == 2) {
    found.scales = find_scales(model, *tensor);
    found.type = dtype::w8a8;
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
  const auto stride = row_bytes(dtype::w8a8, columns);
  for (std::uint64_t row = 0; row < count; ++row) {
    std::byte* to = &out[row * stride];
    std::memmove(to, &quants[row * matrix.columns], matrix.columns);
    std::memcpy(to + matrix.columns, &scales[row], sizeof(float));
  }
}

} // namespace sluice
