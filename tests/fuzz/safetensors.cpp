// SPDX-License-Identifier: Apache-2.0
#include "model/checkpoint/safetensors.hpp"

#include <algorithm>
#include <cstdlib>

using namespace sluice;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  try {
    const auto eight = bytes.first(std::min<std::size_t>(8, size));
    const auto length = safetensors_header_bytes(eight, size, "fuzz");
    const auto header =
        parse_safetensors_header(bytes.subspan(8, length), size, "fuzz");
    std::uint64_t end = 8 + length; // the tensors fill the rest exactly
    for (const auto& tensor : header.tensors) {
      if (tensor.offset != end)
        std::abort();
      end += tensor.bytes;
    }
    if (end != size)
      std::abort();
  } catch (const model_error&) {
  }
  return 0;
}
