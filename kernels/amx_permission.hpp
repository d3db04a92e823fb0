// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace sluice {

/// Asks the system, once, to let this process use the tile registers of AMX,
/// which it grants on demand because their state is 8 KB a thread.
/// @return whether every thread may use them from now on.
bool may_use_amx();

} // namespace sluice
