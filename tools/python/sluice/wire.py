# SPDX-License-Identifier: Apache-2.0
"""Endpoints and socket options that both clients share."""

from __future__ import annotations

import os
from typing import Any

import zmq

_MOST_FRAME_BYTES = 64 << 20
_HEARTBEAT_MS = 1000
_HEARTBEAT_TIMEOUT_MS = 3000
_LINGER_MS = 500  # so that a last Cancel leaves the process
_STREAM_QUEUE = 20000  # chunks; what overflows is asked for again


def default_endpoint() -> str:
    """$SLUICE_ENDPOINT, else where a daemon of this user listens (the rule of
    docs/protocol.md)."""
    named = os.environ.get("SLUICE_ENDPOINT")
    if named:
        return named
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime:
        folder = os.path.join(runtime, "sluice")
    elif os.getuid() == 0:
        folder = "/run/sluice"
    else:
        folder = f"/tmp/sluice-{os.getuid()}"
    return f"ipc://{folder}/sluice-control.sock"


def open_control(context: Any, endpoint: str) -> Any:
    """A DEALER that is connecting to the daemon."""
    control = context.socket(zmq.DEALER)
    _set_common(control)
    control.connect(endpoint)
    return control


def open_streams(context: Any, endpoint: str) -> Any:
    """A SUB that is connecting to the daemon's streams."""
    streams = context.socket(zmq.SUB)
    _set_common(streams)
    streams.setsockopt(zmq.RCVHWM, _STREAM_QUEUE)
    streams.connect(endpoint)
    return streams


def subscribe(streams: Any, wanted: bool, topic: str) -> None:
    option = zmq.SUBSCRIBE if wanted else zmq.UNSUBSCRIBE
    streams.setsockopt(option, topic.encode("ascii"))


def _set_common(socket: Any) -> None:
    socket.setsockopt(zmq.MAXMSGSIZE, _MOST_FRAME_BYTES)
    socket.setsockopt(zmq.LINGER, _LINGER_MS)
    socket.setsockopt(zmq.HEARTBEAT_IVL, _HEARTBEAT_MS)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, _HEARTBEAT_TIMEOUT_MS)
    socket.setsockopt(zmq.IPV6, 1)
