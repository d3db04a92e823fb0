# SPDX-License-Identifier: Apache-2.0
"""FlatBuffers in and out. Python's FlatBuffers has no verifier, so reading is
guarded instead: whatever malformed bytes provoke becomes a ProtocolError.

A root type T of the schemas is its object form `TT` here (e.g. SubmitT).
"""

from __future__ import annotations

from typing import Any, Dict, Tuple

import flatbuffers

from .errors import ProtocolError
from .messages import Accepted, Cancel, Cancelled, Chunk, Credit, Gap, Health
from .messages import Hello, Lease, Models, Query, Refused, Rejected, Replay
from .messages import Replayed, Stats, Submit
from .messages.RequestId import RequestIdT

# As in messages/message_traits.hpp; a test compares the two.
IDENTIFIERS: Dict[bytes, Any] = {
    b"HEL1": Hello,
    b"SUB1": Submit,
    b"ACC1": Accepted,
    b"REJ1": Rejected,
    b"CAN1": Cancel,
    b"CAD1": Cancelled,
    b"REP1": Replay,
    b"RPD1": Replayed,
    b"GAP1": Gap,
    b"LEA1": Lease,
    b"CRE1": Credit,
    b"QUE1": Query,
    b"HLT1": Health,
    b"STA1": Stats,
    b"MOD1": Models,
    b"RFD1": Refused,
    b"CHU1": Chunk,
}


def type_name(module: Any) -> str:
    """The message's name: the last part of its generated module's."""
    return str(module.__name__).rpartition(".")[2]


_IDENTIFIER_OF = {type_name(m) + "T": i for i, m in IDENTIFIERS.items()}
_MESSAGES_WITH_ID = frozenset(
    ("Submit", "Accepted", "Rejected", "Cancel", "Cancelled", "Replay")
    + ("Replayed", "Gap", "Chunk", "Credit")
)


def pack(message: Any) -> bytes:
    """The frame of a message in object form."""
    builder = flatbuffers.Builder(256)
    identifier = _IDENTIFIER_OF[type(message).__name__]
    builder.Finish(message.Pack(builder), file_identifier=identifier)
    return bytes(builder.Output())


def parse(data: bytes) -> Tuple[str, Any]:
    """Reads a frame: its message's name and object form.

    Raises ProtocolError for bytes that are no frame of the protocol.
    """
    module = IDENTIFIERS.get(bytes(data[4:8]))
    if module is None:
        raise ProtocolError(f"unknown frame identifier {bytes(data[4:8])!r}")
    name = type_name(module)
    try:
        root = getattr(module, name).GetRootAs(data, 0)
        message = getattr(module, name + "T").InitFromObj(root)
    except Exception as error:  # struct, index, type, unicode: see above
        raise ProtocolError(f"malformed {name} frame: {error}") from error
    if name in _MESSAGES_WITH_ID and message.id is None:
        raise ProtocolError(f"{name} frame without an id")
    return name, message


def text_of(value: Any) -> str:
    """A string field, which Python's FlatBuffers gives as bytes or None."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    try:
        return bytes(value).decode("utf-8")
    except UnicodeDecodeError as error:
        raise ProtocolError(f"a text is not UTF-8: {error}") from error


def wire_id(topic: str) -> RequestIdT:
    """From 32 hexadecimal digits."""
    result = RequestIdT()
    result.high = int(topic[:16], 16)
    result.low = int(topic[16:], 16)
    return result


def topic_of(request_id: RequestIdT) -> str:
    """32 hexadecimal digits: the name of a request and of its stream."""
    return f"{request_id.high:016x}{request_id.low:016x}"
