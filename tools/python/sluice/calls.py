# SPDX-License-Identifier: Apache-2.0
"""What waits for the daemon: single answers and streams. No I/O, no clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Optional

from . import control
from .errors import SluiceError
from .stream_state import StreamState


@dataclass(frozen=True)
class Timing:
    """How long to wait for what; all in seconds."""

    connect: float = 5.0  # until the daemon must have said Hello
    reply: float = 2.0  # until an unanswered question is asked again
    attempts: int = 3  # of those, until the connection is built anew
    silence: float = 0.5  # without a chunk, until the client asks
    silence_most: float = 5.0  # the most that this grows to


def _nothing() -> None:
    pass


class Call:
    """One answer to come. `changed` is called when it did."""

    def __init__(self, deadline: Optional[float]) -> None:
        self.deadline = deadline
        self.changed: Callable[[], None] = _nothing
        self.answer: Any = None
        self.error: Optional[SluiceError] = None
        self.done = False

    def finish(self, answer: Any) -> None:
        self.answer = answer
        self.done = True
        self.changed()

    def fail(self, error: SluiceError) -> None:
        self.error = error
        self.done = True
        self.changed()

    def result(self) -> Any:
        """The answer of a call that is done; raises if it failed."""
        if self.error is not None:
            raise self.error
        return self.answer


class StreamCall:
    """One stream to come: its state, and when to ask the daemon about it.

    topic     the request's id, 32 hexadecimal digits
    accepted  the daemon took it (in this life of the connection)
    due       when to ask next: for the chunks, or for Accepted
    """

    def __init__(
        self,
        topic: str,
        tenant: str,
        submit: bytes,
        deadline: Optional[float],
        timing: Timing,
    ) -> None:
        self.topic = topic
        self.deadline = deadline
        self.state = StreamState()
        self.changed: Callable[[], None] = _nothing
        self.accepted = False
        self.due = 0.0
        self.asked = False
        self.tenant = tenant
        self._submit = submit
        self._timing = timing
        self._unanswered = 0
        self._patience = timing.silence

    @property
    def ready(self) -> bool:
        """There is something to take, or nothing more will come."""
        return bool(self.state.events) or self.state.ended

    def submit(self, now: float) -> bytes:
        """(Re-)submits: harmless if the daemon knows it, by its id."""
        self.accepted = False
        self._unanswered = 0
        self.asked = True
        self.due = now + self._timing.reply
        return self._submit

    def ask(self, now: float) -> Optional[bytes]:
        """The frame that asks for what is missing; nothing if so many were
        not answered that the connection must be dead."""
        if self.asked:
            self._unanswered += 1
        if self._unanswered >= self._timing.attempts:
            self._unanswered = 0
            return None
        self.asked = True
        self.due = now + self._timing.reply
        if not self.accepted:
            return self._submit
        return control.replay(self.topic, self.tenant, self.state.next_seq)

    def heard(self, now: float, progress: bool) -> None:
        """The daemon spoke of this stream: the next question can wait."""
        self.asked = False
        self._unanswered = 0
        most = self._timing.silence_most
        calm = progress or self.state.has_gap
        self._patience = (
            self._timing.silence if calm else min(2 * self._patience, most)
        )
        self.due = now + self._patience
