// SPDX-License-Identifier: Apache-2.0
#include "tests/model/small_model.hpp"

#include "kernels/convert.hpp"

namespace sluice::test {

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
    writer.declare(name, type, shape);
  for (const auto& [name, shape] : shapes) {
    std::vector<float> values(shape[0] * (shape.size() > 1 ? shape[1] : 1));
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = static_cast<float>(i) / 100;
    std::vector<std::byte> bytes(
        row_bytes(type, static_cast<std::int64_t>(values.size())));
    quantize_row(type, values, bytes.data());
    writer.write(bytes);
  }
  writer.finish();
}

} // namespace sluice::test
