// SPDX-License-Identifier: Apache-2.0
// Input: a tokenizer.json, a zero byte, a text to encode and decode.
#include "model/checkpoint/model_error.hpp"
#include "model/tokenizer/load.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto end = input.find('\0');
  const auto text =
      end == input.npos ? std::string_view() : input.substr(end + 1);
  try {
    const auto subject = sluice::load_tokenizer_json(input.substr(0, end));
    for (const bool special : {false, true}) {
      const auto ids = subject->encode(text, {.parse_special = special});
      for (const auto id : ids)
        if (id >= subject->vocab_size())
          std::abort();
      subject->decode(ids);
    }
  } catch (const sluice::model_error&) {
    // the one way to refuse
  }
  return 0;
}
