# SPDX-License-Identifier: Apache-2.0
"""What a session makes of the frames that come in."""

from __future__ import annotations

from collections import deque
from typing import Any, Callable, Deque, Dict, Optional

from . import frames
from .calls import StreamCall
from .control import PROTOCOL
from .errors import ProtocolError, Rejected, StreamLost, error_name
from .frames import text_of, topic_of
from .session import Daemon, Session

_Handler = Callable[[StreamCall, Any, float], None]


class Replies:
    """Routes frames to what waits for them. Malformed ones are noted in
    `refusals` and dropped: the silence that follows makes the session ask."""

    def __init__(self, session: Session) -> None:
        self.refusals: Deque[str] = deque(maxlen=100)
        self._session = session
        self._of_streams: Dict[str, _Handler] = {
            "Accepted": self._on_accepted,
            "Rejected": self._on_rejected,
            "Replayed": self._on_replayed,
            "Gap": self._on_gap,
        }

    def receive(self, data: bytes, now: float) -> None:
        """A frame from the control socket, or a chunk from the stream's."""
        try:
            name, message = frames.parse(data)
            self._route(name, message, data, now)
        except ProtocolError as error:
            self.refusals.append(str(error))

    def _route(self, name: str, message: Any, data: bytes, now: float) -> None:
        if name == "Hello":
            self._on_hello(message, now)
        elif name == "Refused":
            self._on_refused(message)
        elif name == "Cancelled":
            call = self._session.cancels.pop(topic_of(message.id), None)
            if call is not None:
                call.finish(bool(message.found))
        elif name in ("Health", "Stats", "Models"):
            call = self._session.queries.pop(message.correlation, None)
            if call is not None:
                call.finish(message)
        elif name == "Chunk" or name in self._of_streams:
            self._on_stream(name, message, data, now)

    def _on_stream(
        self, name: str, message: Any, data: bytes, now: float
    ) -> None:
        call = self._session.streams.get(topic_of(message.id))
        if call is None:
            return
        if name == "Chunk":
            self._on_chunk(call, message, data, now)
        else:
            self._of_streams[name](call, message, now)
        if call.state.ended:
            self._session.end(call)
        else:
            call.changed()

    def _on_hello(self, message: Any, now: float) -> None:
        session = self._session
        if not message.oldestProtocol <= PROTOCOL <= message.protocol:
            spoken = f"{message.oldestProtocol} to {message.protocol}"
            text = f"the daemon speaks protocol {spoken}, we {PROTOCOL}"
            session.fail_all(Rejected("unsupported_protocol", text))
            return
        session.daemon = Daemon(
            text_of(message.version),
            message.epoch,
            text_of(message.streamEndpoint),
            tuple(text_of(name) for name in message.models or ()),
        )
        greeting, session.greeting = session.greeting, None
        for call in list(session.streams.values()):
            self._resume(call, now)
        if greeting:
            greeting.finish(session.daemon)

    def _resume(self, call: StreamCall, now: float) -> None:
        """The same life of the daemon goes on where we were; another one may
        run the request again if nothing of it was seen."""
        daemon = self._session.daemon
        assert daemon is not None
        if call.state.epoch is None or call.state.begin(daemon.epoch):
            self._session.outgoing.append(call.submit(now))
        else:
            self._session.end(call)

    def _on_accepted(self, call: StreamCall, message: Any, now: float) -> None:
        call.accepted = True
        call.state.begin(message.epoch)
        call.heard(now, progress=True)

    def _on_rejected(self, call: StreamCall, message: Any, _: float) -> None:
        retry: Optional[float] = None
        if message.retryAfterMs:
            retry = message.retryAfterMs / 1000
        name = error_name(message.code)
        call.state.fail(Rejected(name, text_of(message.text), retry))

    def _on_chunk(
        self, call: StreamCall, message: Any, data: bytes, now: float
    ) -> None:
        if text_of(message.tenant) != call.tenant:
            return  # another tenant may have chosen the same id
        call.accepted = True
        if call.state.add(message, data):
            call.heard(now, progress=True)
        if call.state.has_gap and not call.asked:
            self._session.ask(call, now)

    def _on_replayed(self, call: StreamCall, message: Any, now: float) -> None:
        if message.ended and call.state.next_seq >= message.nextSeq:
            text = "the daemon says that the stream ended, without its end"
            call.state.fail(ProtocolError(text))
        else:
            call.heard(now, progress=False)

    def _on_gap(self, call: StreamCall, message: Any, now: float) -> None:
        if message.toSeq > 0:
            text = text_of(message.text)
            call.state.lose(message.fromSeq, message.toSeq, text)
        elif call.state.next_seq > 0:
            text = "the daemon no longer knows the request"
            call.state.fail(StreamLost(text))
        elif call.accepted:  # it restarted: nothing was seen, submit again
            call.state.epoch = None
            self._session.outgoing.append(call.submit(now))

    def _on_refused(self, message: Any) -> None:
        """Refused names no frame. If only one can be meant, that one failed;
        else the other answers sort it out, and time the rest."""
        session = self._session
        error = Rejected(error_name(message.code), text_of(message.text))
        self.refusals.append(str(error))
        waiting = [c for c in session.streams.values() if not c.accepted]
        if session.greeting:
            session.fail_all(error)
        elif len(waiting) == 1 and not session.queries:
            waiting[0].state.fail(error)
            session.end(waiting[0])
