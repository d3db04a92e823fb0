// SPDX-License-Identifier: Apache-2.0
#include "kernels/amx_permission.hpp"

#if defined(__x86_64__) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace sluice {

bool may_use_amx() {
#if defined(__x86_64__) && defined(__linux__)
  // asm/prctl.h of the kernels that Debian 12 builds against lacks the names.
  constexpr long request_permission = 0x1023; // ARCH_REQ_XCOMP_PERM
  constexpr long tile_data = 18;              // XFEATURE_XTILEDATA
  static const bool granted =
      syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
  return granted;
#else
  return false;
#endif
}

} // namespace sluice
