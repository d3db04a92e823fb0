# SPDX-License-Identifier: Apache-2.0
"""The order, the gaps and the end of one stream: no I/O and no clock, so the
synchronous and the asynchronous client share it and tests drive it by hand."""

from __future__ import annotations

import zlib
from collections import deque
from typing import Any, Deque, Dict, Optional, Tuple

from .decode import event_of
from .errors import Failed, ProtocolError, SluiceError, StreamLost
from .events import Event, Finished
from .messages.ChunkBody import ChunkBody

_TERMINAL = (ChunkBody.Finished, ChunkBody.Failed)


class StreamState:
    """Puts chunks in order, drops what it has, checks what it got.

    events    in order, to be taken from the left
    error     set when the stream failed; it comes after the events
    ended     nothing more will come: Finished was taken in, or error is set
    next_seq  the first chunk that is missing
    """

    def __init__(self, early_limit: int = 65536) -> None:
        self.events: Deque[Event] = deque()
        self.error: Optional[SluiceError] = None
        self.ended = False
        self.next_seq = 0
        self.epoch: Optional[int] = None
        self.duplicates = 0
        self.foreign = 0  # chunks of another life of the daemon
        self._early: Dict[int, Tuple[Any, bytes]] = {}
        self._early_limit = early_limit
        self._checksum = 0

    @property
    def has_gap(self) -> bool:
        """Later chunks wait for one that did not come."""
        return bool(self._early)

    def begin(self, epoch: int) -> bool:
        """The daemon of that epoch took the request (again).

        A request that a restarted daemon runs anew may only replace one of
        which nothing was seen. Returns False, with `error` set, otherwise.
        """
        if self.epoch not in (None, epoch) and self.next_seq > 0:
            self.fail(StreamLost("the daemon restarted in mid-stream"))
            return False
        if self.epoch != epoch:
            self._early.clear()
        self.epoch = epoch
        return True

    def add(self, chunk: Any, data: bytes) -> bool:
        """Takes in a chunk (object form, and its frame as it came).

        Returns True if the stream made progress.
        """
        if self.ended:
            return False
        if self.epoch is None:
            self.epoch = chunk.epoch
        if chunk.epoch != self.epoch:
            self.foreign += 1
            return False
        if chunk.seq < self.next_seq or chunk.seq in self._early:
            self.duplicates += 1
            return False
        if chunk.seq > self.next_seq:
            if len(self._early) < self._early_limit:
                self._early[chunk.seq] = (chunk, data)
            return False
        self._take(chunk, data)
        while not self.ended and self.next_seq in self._early:
            self._take(*self._early.pop(self.next_seq))
        return True

    def lose(self, from_seq: int, to_seq: int, text: str = "") -> None:
        """Chunks [from_seq, to_seq) are gone for good."""
        if self.ended or to_seq <= self.next_seq:
            return
        reason = text or "raise limits.window_chunks or read faster"
        self.fail(StreamLost(f"chunks {from_seq} to {to_seq} lost: {reason}"))

    def fail(self, error: SluiceError) -> None:
        """Ends the stream with an error unless it has ended."""
        if not self.ended:
            self.error = error
            self.ended = True
            self._early.clear()

    def _take(self, chunk: Any, data: bytes) -> None:
        try:
            event = event_of(chunk)
            if chunk.bodyType in _TERMINAL:
                self._check_end(chunk.body)
        except ProtocolError as error:
            self.fail(error)
            return
        self.next_seq += 1
        if isinstance(event, Failed):
            self.fail(event)
            return
        self.events.append(event)
        self._checksum = zlib.crc32(data, self._checksum)
        self.ended = isinstance(event, Finished)

    def _check_end(self, body: Any) -> None:
        """The last chunk says how many there were and what they add up to."""
        if body.chunks != self.next_seq + 1:
            raise ProtocolError(
                f"the stream has {self.next_seq + 1} chunks and says "
                f"{body.chunks}"
            )
        if body.checksum != self._checksum:
            raise ProtocolError(
                f"the stream's checksum is {self._checksum:08x} and it says "
                f"{body.checksum:08x}"
            )
