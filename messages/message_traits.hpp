// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "messages/control_generated.h"
#include "messages/lane_generated.h"
#include "messages/stream_generated.h"

namespace sluice::messages {

/// The four bytes at offset 4 that name a frame's root type. flatc allows one
/// identifier a file and we keep families together, so the map lives here and
/// in tools/python/sluice/frames.py. The last byte is the protocol's version.
template <class T>
struct message_traits;

#define SLUICE_MESSAGE(type, name)                                             \
  template <>                                                                  \
  struct message_traits<type> {                                                \
    static constexpr const char* identifier = name;                            \
  };

// -- control ------------------------------------------------------------------
SLUICE_MESSAGE(Hello, "HEL1")
SLUICE_MESSAGE(Submit, "SUB1")
SLUICE_MESSAGE(Accepted, "ACC1")
SLUICE_MESSAGE(Rejected, "REJ1")
SLUICE_MESSAGE(Cancel, "CAN1")
SLUICE_MESSAGE(Cancelled, "CAD1")
SLUICE_MESSAGE(Replay, "REP1")
SLUICE_MESSAGE(Replayed, "RPD1")
SLUICE_MESSAGE(Gap, "GAP1")
SLUICE_MESSAGE(Lease, "LEA1")
SLUICE_MESSAGE(Credit, "CRE1")
SLUICE_MESSAGE(Query, "QUE1")
SLUICE_MESSAGE(Health, "HLT1")
SLUICE_MESSAGE(Stats, "STA1")
SLUICE_MESSAGE(Models, "MOD1")
SLUICE_MESSAGE(Refused, "RFD1")
// -- streams ------------------------------------------------------------------
SLUICE_MESSAGE(Chunk, "CHU1")
// -- between actors -----------------------------------------------------------
SLUICE_MESSAGE(Prepared, "PRE1")
SLUICE_MESSAGE(Admit, "ADM1")
SLUICE_MESSAGE(Extend, "EXT1")
SLUICE_MESSAGE(Truncate, "TRU1")
SLUICE_MESSAGE(Stop, "STO1")
SLUICE_MESSAGE(Outcome, "OUT1")
SLUICE_MESSAGE(PageRequest, "PRQ1")
SLUICE_MESSAGE(PageGrant, "PGR1")
SLUICE_MESSAGE(StepPlan, "PLA1")
SLUICE_MESSAGE(StepResult, "RSL1")
SLUICE_MESSAGE(Attach, "ATT1")
SLUICE_MESSAGE(Tokens, "TOK1")

#undef SLUICE_MESSAGE

} // namespace sluice::messages
