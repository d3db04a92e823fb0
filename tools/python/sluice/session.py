# SPDX-License-Identifier: Apache-2.0
"""One client's conversation with a daemon, without I/O and without a clock:
frames and times go in; frames, subscriptions and results come out. Both
clients drive it, and so do the tests.

What it takes care of: the handshake, lost or late chunks (Replay), a silent
daemon (questions, then a new connection and an idempotent re-submit),
deadlines.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any, Deque, Dict, Optional, Tuple, Union

from . import control
from .calls import Call, StreamCall, Timing
from .errors import Cancelled, NoDaemon, SluiceError, Timeout
from .request import Request


@dataclass(frozen=True)
class Daemon:
    """What the daemon said of itself in Hello."""

    version: str
    epoch: int
    stream_endpoint: str
    models: Tuple[str, ...]


class Session:
    """What is asked, what is open, what is due. `Replies` (replies.py) fills
    in what comes back.

    outgoing  control frames to send, the driver's to empty
    topics    (True: subscribe, topic), likewise
    broken    asks the driver for fresh sockets and a call of `open`
    """

    def __init__(self, endpoint: str, tenant: str, timing: Timing) -> None:
        self.outgoing: Deque[bytes] = deque()
        self.topics: Deque[Tuple[bool, str]] = deque()
        self.broken = False
        self.daemon: Optional[Daemon] = None
        self.greeting: Optional[Call] = None  # the Hello that is under way
        self.streams: Dict[str, StreamCall] = {}
        self.queries: Dict[int, Call] = {}
        self.cancels: Dict[str, Call] = {}
        self._endpoint = endpoint
        self._tenant = tenant
        self._timing = timing
        self._correlation = 0

    def open(self, now: float, name: str = "python") -> Call:
        """Says Hello on fresh sockets; subscriptions are made anew."""
        self.broken = False
        self.daemon = None
        self.outgoing.clear()
        self.outgoing.append(control.hello(name))
        self.topics.clear()
        self.topics.extend((True, topic) for topic in self.streams)
        self.greeting = Call(now + self._timing.connect)
        return self.greeting

    def submit(
        self, request: Request, now: float, timeout: Optional[float]
    ) -> StreamCall:
        """Starts a stream; needs a daemon that said Hello."""
        if request.request_id in self.streams:
            raise ValueError(f"{request.request_id} is open in this client")
        call = StreamCall(
            request.request_id,
            self._tenant,
            request.pack(self._tenant),
            None if timeout is None else now + timeout,
            self._timing,
        )
        self.streams[call.topic] = call
        self.topics.append((True, call.topic))
        self.outgoing.append(call.submit(now))
        return call

    def abandon(
        self, call: StreamCall, error: Optional[SluiceError] = None
    ) -> None:
        """Ends the client's interest in a stream; an open one is cancelled."""
        if self.streams.get(call.topic) is not call:
            return
        self.outgoing.append(control.cancel(call.topic, self._tenant))
        call.state.fail(error or Cancelled("the stream was closed early"))
        self.end(call)

    def cancel(self, request_id: str, now: float, timeout: float) -> Call:
        """Cancels any request of the tenant; the answer says if it was there.
        Its stream then ends with Finished(reason="cancelled")."""
        call = Call(now + timeout)
        self.cancels[request_id] = call
        self.outgoing.append(control.cancel(request_id, self._tenant))
        return call

    def query(self, kind: int, now: float, timeout: float) -> Call:
        """Asks for Health, Stats or Models (QueryKind)."""
        self._correlation += 1
        call = Call(now + timeout)
        self.queries[self._correlation] = call
        self.outgoing.append(control.query(kind, self._correlation))
        return call

    def advance(self, now: float) -> None:
        """Does what is due; call it after all that arrived was received."""
        if self.greeting and _is_past(self.greeting, now):
            text = f"no daemon answers at {self._endpoint}"
            self.fail_all(NoDaemon(f"{text}; start sluiced or name another"))
        self._expire(self.queries, now)
        self._expire(self.cancels, now)
        for call in list(self.streams.values()):
            if _is_past(call, now):
                text = f"request {call.topic} did not end in time"
                self.abandon(call, Timeout(text))
            elif not self.greeting and not self.broken and now >= call.due:
                self.ask(call, now)

    def next_due(self) -> Optional[float]:
        """When `advance` has something to do; None: not before a frame."""
        waiting = [*self.queries.values(), *self.cancels.values()]
        times = [call.deadline for call in waiting]
        for stream in self.streams.values():
            times.append(stream.deadline)
            times.append(None if self.greeting else stream.due)
        if self.greeting:
            times.append(self.greeting.deadline)
        return min((t for t in times if t is not None), default=None)

    def ask(self, call: StreamCall, now: float) -> None:
        """Asks about a stream; if nobody answers, for fresh sockets."""
        question = call.ask(now)
        if question is None:
            self.broken = True
        else:
            self.outgoing.append(question)

    def end(self, call: StreamCall) -> None:
        """The stream's state has ended: tell whoever waits."""
        if self.streams.pop(call.topic, None) is not None:
            self.topics.append((False, call.topic))
        call.changed()

    def fail_all(self, error: SluiceError) -> None:
        """Nothing that is open will be answered."""
        self.daemon = None
        calls = [*self.queries.values(), *self.cancels.values()]
        if self.greeting:
            calls.append(self.greeting)
        self.greeting = None
        self.queries.clear()
        self.cancels.clear()
        for call in calls:
            call.fail(error)
        for stream in list(self.streams.values()):
            stream.state.fail(error)
            self.end(stream)

    def _expire(self, calls: Dict[Any, Call], now: float) -> None:
        for key, call in list(calls.items()):
            if _is_past(call, now):
                del calls[key]
                call.fail(Timeout(f"{self._endpoint} gave no answer in time"))


def _is_past(call: Union[Call, StreamCall], now: float) -> bool:
    return call.deadline is not None and now >= call.deadline
