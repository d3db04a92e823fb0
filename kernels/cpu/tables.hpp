// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/ops.hpp"

// One namespace per instruction set: the sources beside this file are compiled
// once for each, with SLUICE_ISA naming the namespace.

namespace sluice::portable {
const op_table& table();
}

namespace sluice::avx2 {
const op_table& table();
}

namespace sluice::avx512 {
const op_table& table();
}

// The avx512 path with the products of cpu/amx.
namespace sluice::amx {
const op_table& table();
}

// The avx512 sources over SIMDe, so that their tests run on any CPU; built
// for the tests only.
namespace sluice::avx512_emulated {
const op_table& table();
}
