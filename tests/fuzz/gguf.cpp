// SPDX-License-Identifier: Apache-2.0
#include "model/checkpoint/gguf.hpp"
#include "model/architecture.hpp"

#include <cstdlib>

namespace {

using namespace sluice;

void check(bool holds) {
  if (!holds)
    std::abort();
}

void read_keys(const gguf_metadata& metadata) {
  for (auto key : {"general.architecture", "tokenizer.ggml.model"})
    metadata.text(key, "");
  if (metadata.has("tokenizer.ggml.tokens"))
    metadata.strings("tokenizer.ggml.tokens");
  if (metadata.has("tokenizer.ggml.scores"))
    metadata.f32_array("tokenizer.ggml.scores");
  if (metadata.has("tokenizer.ggml.token_type"))
    metadata.i32_array("tokenizer.ggml.token_type");
  const auto arch = architecture_from_gguf(metadata, "fuzz");
  check(arch.heads % arch.kv_heads == 0 && arch.rope.rotary_dim > 0);
  rope_frequencies(arch.rope, {});
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  try {
    const auto header = parse_gguf_header(bytes, size, "fuzz");
    for (const auto& tensor : header.tensors)
      check(tensor.type && tensor.bytes > 0 && tensor.offset <= size &&
            tensor.bytes <= size - tensor.offset &&
            tensor.offset % header.alignment == 0);
    read_keys(header.metadata);
  } catch (const model_error&) {
  }
  return 0;
}
