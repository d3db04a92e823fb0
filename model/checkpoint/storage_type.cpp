// SPDX-License-Identifier: Apache-2.0
#include "model/checkpoint/storage_type.hpp"

#include "kernels/check.hpp"

#include <array>

namespace sluice {

namespace {

struct ggml_row {
  std::uint32_t id;
  storage_type type;
};

// Sizes are those of the published block structures: a scale or two, the
// quants, and for the K and IQ families 256 elements in a super-block.
constexpr ggml_row ggml_rows[] = {
    {0, {"F32", 1, 32, dtype::f32}},
    {1, {"F16", 1, 16, dtype::f16}},
    {2, {"Q4_0", 32, 18 * 8, dtype::q4_0}},
    {3, {"Q4_1", 32, 20 * 8, dtype::q4_1}},
    {6, {"Q5_0", 32, 22 * 8, dtype::q5_0}},
    {7, {"Q5_1", 32, 24 * 8, dtype::q5_1}},
    {8, {"Q8_0", 32, 34 * 8, dtype::q8_0}},
    {9, {"Q8_1", 32, 36 * 8, {}}},
    {10, {"Q2_K", 256, 84 * 8, dtype::q2_k}},
    {11, {"Q3_K", 256, 110 * 8, dtype::q3_k}},
    {12, {"Q4_K", 256, 144 * 8, dtype::q4_k}},
    {13, {"Q5_K", 256, 176 * 8, dtype::q5_k}},
    {14, {"Q6_K", 256, 210 * 8, dtype::q6_k}},
    {15, {"Q8_K", 256, 292 * 8, {}}},
    {16, {"IQ2_XXS", 256, 66 * 8, {}}},
    {17, {"IQ2_XS", 256, 74 * 8, {}}},
    {18, {"IQ3_XXS", 256, 98 * 8, {}}},
    {19, {"IQ1_S", 256, 50 * 8, {}}},
    {20, {"IQ4_NL", 32, 18 * 8, dtype::iq4_nl}},
    {21, {"IQ3_S", 256, 110 * 8, {}}},
    {22, {"IQ2_S", 256, 82 * 8, {}}},
    {23, {"IQ4_XS", 256, 136 * 8, dtype::iq4_xs}},
    {24, {"I8", 1, 8, {}}},
    {25, {"I16", 1, 16, {}}},
    {26, {"I32", 1, 32, {}}},
    {27, {"I64", 1, 64, {}}},
    {28, {"F64", 1, 64, {}}},
    {29, {"IQ1_M", 256, 56 * 8, {}}},
    {30, {"BF16", 1, 16, dtype::bf16}},
    {34, {"TQ1_0", 256, 54 * 8, {}}},
    {35, {"TQ2_0", 256, 66 * 8, {}}},
    {39, {"MXFP4", 32, 17 * 8, dtype::mxfp4}},
    {40, {"NVFP4", 64, 36 * 8, {}}},
    {41, {"Q1_0", 128, 18 * 8, {}}},
    {42, {"Q2_0", 64, 18 * 8, {}}},
};

constexpr storage_type safetensors_rows[] = {
    {"F32", 1, 32, dtype::f32},
    {"F16", 1, 16, dtype::f16},
    {"BF16", 1, 16, dtype::bf16},
    {"F64", 1, 64, {}},
    {"I64", 1, 64, {}},
    {"U64", 1, 64, {}},
    {"C64", 1, 64, {}},
    {"I32", 1, 32, {}},
    {"U32", 1, 32, {}},
    {"I16", 1, 16, {}},
    {"U16", 1, 16, {}},
    {"I8", 1, 8, {}},
    {"U8", 1, 8, {}},
    {"BOOL", 1, 8, {}},
    {"F8_E4M3", 1, 8, {}},
    {"F8_E5M2", 1, 8, {}},
    {"F8_E8M0", 1, 8, {}},
    {"F6_E2M3", 1, 6, {}},
    {"F6_E3M2", 1, 6, {}},
    {"F4", 1, 4, {}},
};

} // namespace

const storage_type* ggml_type(std::uint32_t id) {
  for (const auto& row : ggml_rows)
    if (row.id == id)
      return &row.type;
  return nullptr;
}

const storage_type* safetensors_type(std::string_view name) {
  for (const auto& type : safetensors_rows)
    if (type.name == name)
      return &type;
  return nullptr;
}

std::uint32_t ggml_id(dtype type) {
  for (const auto& row : ggml_rows)
    if (row.type.usable == type)
      return row.id;
  if (type == dtype::i8) // half of a w8a8 matrix
    return 24;
  throw contract_violation("ggml_id: no GGUF type for " +
                           std::string(name(type)) + "; use a weight type");
}

std::uint64_t storage_bytes(const storage_type& type, std::uint64_t elements,
                            fault_site site) {
  if (elements % type.block_elements != 0)
    throw model_error(model_fault::malformed, site,
                      "the elements do not fill whole blocks", download_again);
  const std::uint64_t blocks = elements / type.block_elements;
  const std::uint64_t bits =
      (checked_u64(blocks) * type.block_bits).value(site);
  if (bits % 8 != 0)
    throw model_error(model_fault::malformed, site,
                      "the elements do not end on a whole byte",
                      download_again);
  return bits / 8;
}

std::string_view usable_type_list() {
  return "F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q2_K, Q3_K, Q4_K, "
         "Q5_K, Q6_K, IQ4_NL, IQ4_XS, MXFP4, or I8 or F8_E4M3 with a scale";
}

} // namespace sluice
