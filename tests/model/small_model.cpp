// SPDX-License-Identifier: Apache-2.0
#include "tests/model/small_model.hpp"

#include "kernels/convert.hpp"

namespace sluice::test {

namespace {

std::vector<std::byte> encode(dtype type, std::span<const float> values) {
  std::vector<std::byte> bytes(
      row_bytes(type, static_cast<std::int64_t>(values.size())));
  if (type == dtype::i8)
    for (std::size_t i = 0; i < bytes.size(); ++i)
      bytes[i] = static_cast<std::byte>(static_cast<int>(i % 200) - 100);
  else
    quantize_row(type, values, bytes.data());
  return bytes;
}

} // namespace

void small_model::write(const std::filesystem::path& path) const {
  gguf_writer writer(path);
  for (const auto& [key, value] : texts)
    writer.add_text(key, value);
  for (const auto& [key, value] : numbers)
    writer.add_u32(key, value);
  for (const auto& [key, value] : fractions)
    writer.add_f32(key, value);
  if (!tokens.empty())
    writer.add_texts("tokenizer.ggml.tokens", tokens);
  for (const auto& [name, shape] : shapes)
    writer.declare(name, type_of(name), shape);
  for (const auto& [name, shape] : shapes) {
    std::vector<float> values(shape[0] * (shape.size() > 1 ? shape[1] : 1));
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = static_cast<float>(i) / 100;
    writer.write(encode(type_of(name), values));
  }
  writer.finish();
}

} // namespace sluice::test
