# SPDX-License-Identifier: Apache-2.0
"""The synchronous client."""

from __future__ import annotations

import os
import time
from typing import Any, Callable, Dict, Iterable, List, Optional, Union

import zmq

from . import wire
from .answers import Assembly, Generation, Health, Model, Score
from .answers import health_of, models_of, stats_of
from .calls import Call, StreamCall
from .errors import SluiceError
from .events import Event
from .messages.QueryKind import QueryKind
from .replies import Replies
from .request import Request
from .session import Session
from .settings import Settings, request_of, score_of

_MOST_FRAMES_A_TURN = 1000


class Client:
    """Talks to a daemon. Sockets are opened at first use, so that a client can
    be pickled and survives a fork; use one per thread. Several streams may be
    open at once: reading any of them moves all.

        with sluice.Client() as client:
            print(client.generate("Hello", max_tokens=20).text)
    """

    def __init__(self, endpoint: str = "", **settings: Any) -> None:
        """`settings` are the fields of Settings (tenant, timeout, ...)."""
        self.settings = Settings(endpoint, **settings)
        self._reset()

    def stream(
        self,
        prompt: Union[str, Request] = "",
        *,
        timeout: Optional[float] = None,
        **options: Any,
    ) -> Stream:
        """Submits and gives the events as they come; `options` are the fields
        of Request. Raises Rejected, Failed, StreamLost, Timeout, NoDaemon
        while iterating. Closing the stream early cancels the request."""
        request = request_of(prompt, options)
        self._connect()
        limit = self.settings.timeout if timeout is None else timeout
        call = self._session.submit(request, time.monotonic(), limit)
        self._flush()
        return Stream(self, call)

    def generate(
        self,
        prompt: Union[str, Request] = "",
        *,
        timeout: Optional[float] = None,
        **options: Any,
    ) -> Generation:
        """Submits and waits for the whole answer; as `stream` otherwise."""
        assembly = Assembly()
        with self.stream(prompt, timeout=timeout, **options) as stream:
            for event in stream:
                assembly.add(event)
        return assembly.generation(stream.request_id)

    def score(
        self,
        text: Union[str, Iterable[int], Request] = "",
        continuation: str = "",
        *,
        timeout: Optional[float] = None,
        **options: Any,
    ) -> Score:
        """How likely a text (or token ids) is to the model; with
        `continuation`, only the text that it adds counts. prompt_logprobs=K
        also gives each token with K alternatives; other `options` are the
        fields of Request. Raises as `stream` does."""
        request = score_of(text, continuation, options)
        assembly = Assembly()
        with self.stream(request, timeout=timeout) as stream:
            for event in stream:
                assembly.add(event)
        return assembly.score(stream.request_id)

    def cancel(self, request_id: str) -> bool:
        """Cancels a request of this tenant; False if it is not known."""
        self._connect()
        limit = self.settings.reply_timeout
        now = time.monotonic()
        return bool(self._ask(self._session.cancel(request_id, now, limit)))

    def health(self) -> Health:
        return health_of(self._query(QueryKind.health))

    def stats(self) -> Dict[str, float]:
        """Every series that the daemon counts, by name."""
        return stats_of(self._query(QueryKind.stats))

    def models(self) -> List[Model]:
        return models_of(self._query(QueryKind.models))

    def close(self) -> None:
        """Cancels what is open and closes the sockets; the client can be used
        again. Harmless in a forked child."""
        if self._pid == os.getpid():
            for call in list(self._session.streams.values()):
                self._session.abandon(call)
            self._flush()
            self._close_sockets()
        self._reset()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __getstate__(self) -> Settings:
        return self.settings

    def __setstate__(self, settings: Settings) -> None:
        self.settings = settings
        self._reset()

    # -- inside ----------------------------------------------------------------

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._endpoint = self.settings.named_endpoint()
        self._session = Session(
            self._endpoint, self.settings.tenant, self.settings.timing
        )
        self._replies = Replies(self._session)
        self._control: Any = None
        self._streams: Any = None
        self._poller = zmq.Poller()

    def _connect(self) -> None:
        """Has a daemon that said Hello, or raises NoDaemon."""
        if self._pid != os.getpid():
            self._reset()  # the parent keeps its sockets
        if self._control is None or self._session.daemon is None:
            self._ask(self._open())

    def _open(self) -> Call:
        self._close_sockets()
        self._control = wire.open_control(
            zmq.Context.instance(), self._endpoint
        )
        self._poller.register(self._control, zmq.POLLIN)
        return self._session.open(time.monotonic())

    def _close_sockets(self) -> None:
        for socket in (self._control, self._streams):
            if socket is not None:
                socket.close()
        self._control = self._streams = None
        self._poller = zmq.Poller()

    def _query(self, kind: int) -> Any:
        self._connect()
        limit = self.settings.reply_timeout
        return self._ask(self._session.query(kind, time.monotonic(), limit))

    def _ask(self, call: Call) -> Any:
        self._wait(lambda: call.done)
        return call.result()

    def _wait(self, is_done: Callable[[], bool]) -> None:
        """Moves everything until the condition holds; every call and stream
        has a deadline, so it will."""
        self._flush()
        while not is_done():
            due = self._session.next_due()
            pause = 1.0 if due is None else max(0.0, due - time.monotonic())
            self._poller.poll(int(1000 * pause) + 1)
            self._receive(self._control)
            self._receive(self._streams)
            self._session.advance(time.monotonic())
            if self._session.broken:
                self._open()
            self._flush()

    def _receive(self, socket: Any) -> None:
        for _ in range(_MOST_FRAMES_A_TURN if socket is not None else 0):
            try:
                parts = socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            self._replies.receive(parts[-1], time.monotonic())

    def _flush(self) -> None:
        """Subscribes first, so that a stream seldom starts unheard."""
        if self._streams is None and self._session.daemon is not None:
            self._streams = wire.open_streams(
                zmq.Context.instance(), self._session.daemon.stream_endpoint
            )
            self._poller.register(self._streams, zmq.POLLIN)
        while self._session.topics and self._streams is not None:
            wire.subscribe(self._streams, *self._session.topics.popleft())
        while self._session.outgoing and self._control is not None:
            try:
                self._control.send(self._session.outgoing[0], zmq.NOBLOCK)
            except zmq.Again:
                return  # the daemon does not read; what matters is asked again
            self._session.outgoing.popleft()


class Stream:
    """The events of one request, in order. Iterate once; the last event is
    Finished. `close`, the end of a `with` block and dropping it cancel a
    request that still runs."""

    def __init__(self, client: Client, call: StreamCall) -> None:
        self._client = client
        self._call = call
        self._closed = False
        self._pid = os.getpid()

    @property
    def request_id(self) -> str:
        return self._call.topic

    def __iter__(self) -> Stream:
        return self

    def __next__(self) -> Event:
        state = self._call.state
        if self._closed:
            raise StopIteration
        if not self._call.ready:
            self._client._wait(lambda: self._call.ready)
        if state.events:
            return state.events.popleft()
        self._closed = True
        if state.error is not None:
            raise state.error
        raise StopIteration

    def close(self) -> None:
        """Cancels the request unless it has ended."""
        if not self._closed and self._pid == os.getpid():
            self._client._session.abandon(self._call)
            self._client._flush()
        self._closed = True

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __del__(self) -> None:
        try:
            self.close()
        except (SluiceError, zmq.ZMQError, AttributeError, TypeError):
            pass  # the interpreter is going down, or the sockets are gone
