// SPDX-License-Identifier: Apache-2.0
#include "model/architecture.hpp"

#include <cmath>
#include <iterator>

namespace sluice {

namespace {

struct range {
  std::string_view what;
  std::uint64_t value;
  std::uint64_t least;
  std::uint64_t most;
};

void check_ranges(std::span<const range> ranges, std::string_view file) {
  for (const auto& [what, value, least, most] : ranges)
    if (value < least || value > most)
      throw model_error(model_fault::limit, {file, what},
                        std::to_string(value) + " is not between " +
                            std::to_string(least) + " and " +
                            std::to_string(most),
                        "use a model of the supported families");
}

struct rule {
  bool holds;
  std::string_view what;
  std::string_view text;
};

void check_rules(std::span<const rule> rules, std::string_view file) {
  for (const auto& [holds, what, text] : rules)
    if (!holds)
      throw model_error(model_fault::malformed, {file, what}, text,
                        download_again);
}

} // namespace

void check_architecture(const architecture& arch, std::string_view file) {
  const auto& rope = arch.rope;
  const range ranges[] = {
      {"layers", arch.layers, 1, 1'024},
      {"hidden size", arch.hidden, 1, 1u << 17},
      {"heads", arch.heads, 1, 4'096},
      {"kv heads", arch.kv_heads, 1, arch.heads},
      {"head size", arch.head_dim, 2, 1'024},
      {"feed-forward size", arch.ffn, 1, 1u << 20},
      {"vocabulary", arch.vocab, 1, 1u << 24},
      {"context", arch.context, 1, 1u << 28},
      {"rotary size", rope.rotary_dim, 2, arch.head_dim},
  };
  check_ranges(ranges, file);
  const rule rules[] = {
      {arch.heads % arch.kv_heads == 0, "kv heads", "they do not divide heads"},
      {arch.head_dim % 2 == 0, "head size", "it is odd"},
      {rope.rotary_dim % 2 == 0, "rotary size", "it is odd"},
      {arch.norm_epsilon > 0 && arch.norm_epsilon < 1, "norm epsilon",
       "it is not between 0 and 1"},
      {rope.theta > 1 && std::isfinite(rope.theta), "rope theta",
       "it is not above 1"},
      {rope.factor > 0 && std::isfinite(rope.factor), "rope factor",
       "it is not above 0"},
      {rope.scaling != rope_scaling::llama3 ||
           (rope.low_frequency_factor > 0 && rope.original_context > 0 &&
            rope.low_frequency_factor < rope.high_frequency_factor),
       "rope scaling", "low_freq_factor is not between 0 and high_freq_factor"},
      {!arch.bos || *arch.bos < arch.vocab, "bos token",
       "it is outside the vocabulary"},
  };
  check_rules(rules, file);
  for (auto id : arch.eos)
    if (id >= arch.vocab)
      throw model_error(model_fault::malformed, {file, "eos token"},
                        "it is outside the vocabulary", download_again);
}

} // namespace sluice
