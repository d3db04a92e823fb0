# SPDX-License-Identifier: Apache-2.0
"""The control frames that a client sends, one function each."""

from __future__ import annotations

from typing import Any

from . import frames
from .messages.Cancel import CancelT
from .messages.Hello import HelloT
from .messages.Query import QueryT
from .messages.Replay import ReplayT

PROTOCOL = 1


def hello(name: str) -> bytes:
    message: Any = HelloT()
    message.protocol = message.oldestProtocol = PROTOCOL
    message.name = name
    return frames.pack(message)


def cancel(request_id: str, tenant: str) -> bytes:
    message: Any = CancelT()
    message.id = frames.wire_id(request_id)
    message.tenant = tenant or None
    return frames.pack(message)


def replay(request_id: str, tenant: str, from_seq: int) -> bytes:
    message: Any = ReplayT()
    message.id = frames.wire_id(request_id)
    message.tenant = tenant or None
    message.fromSeq = from_seq
    return frames.pack(message)


def query(kind: int, correlation: int) -> bytes:
    message: Any = QueryT()
    message.kind = kind
    message.correlation = correlation
    return frames.pack(message)
