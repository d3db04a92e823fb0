// SPDX-License-Identifier: Apache-2.0
#include "kernels/select.hpp"

#include "kernels/amx_permission.hpp"
#include "kernels/check.hpp"
#include "kernels/cpu/tables.hpp"
#include "kernels/reference/reference.hpp"

#include <string>

namespace sluice {

namespace {

constexpr instruction_set slowest_first[] = {
    instruction_set::reference, instruction_set::portable,
    instruction_set::avx2, instruction_set::avx512, instruction_set::amx};

bool cpu_runs(instruction_set isa) {
#if defined(__x86_64__)
  if (isa == instruction_set::avx2) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("f16c");
  }
  if (isa == instruction_set::avx512) {
    return cpu_runs(instruction_set::avx2) &&
           __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512vnni");
  }
  if (isa == instruction_set::amx) {
    return cpu_runs(instruction_set::avx512) &&
           __builtin_cpu_supports("avx512bf16") &&
           __builtin_cpu_supports("amx-tile") &&
           __builtin_cpu_supports("amx-int8") &&
           __builtin_cpu_supports("amx-bf16") && may_use_amx();
  }
#endif
  return isa == instruction_set::reference || isa == instruction_set::portable;
}

// The path's table, or null when this build has none.
const op_table* built(instruction_set isa) {
  switch (isa) {
  case instruction_set::reference:
    return &reference::table();
  case instruction_set::portable:
    return &portable::table();
#if defined(SLUICE_KERNELS_X86)
  case instruction_set::avx2:
    return &avx2::table();
  case instruction_set::avx512:
    return &avx512::table();
  case instruction_set::amx:
    return &amx::table();
#endif
  default:
    return nullptr;
  }
}

std::string names_of_available() {
  std::string names;
  for (const instruction_set isa : available_instruction_sets()) {
    names += names.empty() ? "" : ", ";
    names += name(isa);
  }
  return names;
}

} // namespace

instruction_set detect() {
  return available_instruction_sets().back();
}

bool available(instruction_set isa) {
  return built(isa) != nullptr && cpu_runs(isa);
}

std::vector<instruction_set> available_instruction_sets() {
  std::vector<instruction_set> found;
  for (const instruction_set isa : slowest_first) {
    if (available(isa)) {
      found.push_back(isa);
    }
  }
  return found;
}

const op_table& select(instruction_set isa) {
  if (!available(isa)) {
    throw contract_violation("kernels: this CPU or build cannot run the " +
                             std::string(name(isa)) + " path; choose one of " +
                             names_of_available());
  }
  return *built(isa);
}

std::string_view name(instruction_set isa) {
  switch (isa) {
  case instruction_set::portable:
    return "portable";
  case instruction_set::avx2:
    return "avx2";
  case instruction_set::avx512:
    return "avx512";
  case instruction_set::amx:
    return "amx";
  default:
    return "reference";
  }
}

std::optional<instruction_set> parse_instruction_set(std::string_view text) {
  for (const instruction_set isa : slowest_first) {
    if (name(isa) == text) {
      return isa;
    }
  }
  return std::nullopt;
}

} // namespace sluice
