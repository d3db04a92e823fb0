# SPDX-License-Identifier: Apache-2.0
"""The client for asyncio: the same conversation, driven by two reader tasks
and one timer of the running event loop."""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any, Dict, Iterable, List, Optional, Union

import zmq
import zmq.asyncio

from . import wire
from .answers import Assembly, Generation, Health, Model, Score
from .answers import health_of, models_of, stats_of
from .calls import Call, StreamCall
from .events import Event
from .messages.QueryKind import QueryKind
from .replies import Replies
from .request import Request
from .session import Session
from .settings import Settings, request_of, score_of


_TIMERS_OF_PYZMQ = 0.001  # seconds


class AsyncClient:
    """As `Client`, for any number of tasks of one event loop.

        async with sluice.AsyncClient() as client:
            async for event in client.stream("Hello", max_tokens=20):
                print(event.text, end="")
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
    ) -> AsyncStream:
        """As Client.stream; submits when iteration begins."""
        limit = self.settings.timeout if timeout is None else timeout
        return AsyncStream(self, request_of(prompt, options), limit)

    async def generate(
        self,
        prompt: Union[str, Request] = "",
        *,
        timeout: Optional[float] = None,
        **options: Any,
    ) -> Generation:
        """Submits and waits for the whole answer."""
        assembly = Assembly()
        stream = self.stream(prompt, timeout=timeout, **options)
        async with stream:
            async for event in stream:
                assembly.add(event)
        return assembly.generation(stream.request_id)

    async def score(
        self,
        text: Union[str, Iterable[int], Request] = "",
        continuation: str = "",
        *,
        timeout: Optional[float] = None,
        **options: Any,
    ) -> Score:
        """As Client.score."""
        request = score_of(text, continuation, options)
        assembly = Assembly()
        stream = self.stream(request, timeout=timeout)
        async with stream:
            async for event in stream:
                assembly.add(event)
        return assembly.score(stream.request_id)

    async def cancel(self, request_id: str) -> bool:
        """Cancels a request of this tenant; False if it is not known."""
        await self._connect()
        limit = self.settings.reply_timeout
        now = time.monotonic()
        call = self._session.cancel(request_id, now, limit)
        return bool(await self._ask(call))

    async def health(self) -> Health:
        return health_of(await self._query(QueryKind.health))

    async def stats(self) -> Dict[str, float]:
        """Every series that the daemon counts, by name."""
        return stats_of(await self._query(QueryKind.stats))

    async def models(self) -> List[Model]:
        return models_of(await self._query(QueryKind.models))

    async def close(self) -> None:
        """Cancels what is open and closes the sockets; the client can be used
        again."""
        if self._pid == os.getpid() and self._control is not None:
            for call in list(self._session.streams.values()):
                self._session.abandon(call)
            self._flush()
            # After a send pyzmq looks at the socket once more, by a timer.
            await asyncio.sleep(_TIMERS_OF_PYZMQ)
            self._close_sockets()
        self._reset()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self.close()

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
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._control: Any = None
        self._streams: Any = None
        self._readers: List[Any] = []
        self._timer: Optional[asyncio.TimerHandle] = None
        self._greeted = asyncio.Event()

    async def _connect(self) -> None:
        """Has a daemon that said Hello, or raises NoDaemon."""
        loop = asyncio.get_running_loop()
        if self._pid != os.getpid() or self._loop not in (None, loop):
            self._reset()  # sockets and tasks are those of another world
        self._loop = loop
        if self._control is None or self._session.daemon is None:
            if self._session.greeting is None:
                self._open()
            greeting = self._session.greeting
            assert greeting is not None
            self._move()
            await self._greeted.wait()
            greeting.result()

    def _open(self) -> None:
        self._close_sockets()
        self._control = wire.open_control(_context(), self._endpoint)
        self._read(self._control)
        self._greeted = asyncio.Event()
        self._session.open(time.monotonic()).changed = self._greeted.set

    def _close_sockets(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for task in self._readers:
            task.cancel()
        for socket in (self._control, self._streams):
            if socket is not None:
                socket.close()
        self._readers = []
        self._control = self._streams = self._timer = None

    def _read(self, socket: Any) -> None:
        assert self._loop is not None
        self._readers.append(self._loop.create_task(self._reader(socket)))

    async def _reader(self, socket: Any) -> None:
        while True:
            parts = await socket.recv_multipart()
            self._replies.receive(parts[-1], time.monotonic())
            self._move()

    async def _query(self, kind: int) -> Any:
        await self._connect()
        limit = self.settings.reply_timeout
        call = self._session.query(kind, time.monotonic(), limit)
        return await self._ask(call)

    async def _ask(self, call: Call) -> Any:
        event = asyncio.Event()
        call.changed = event.set
        self._move()
        await event.wait()
        return call.result()

    def _move(self) -> None:
        """Sends what is to be sent and sets the timer to what is due next."""
        if self._session.broken:
            self._open()
        self._flush()
        if self._timer is not None:
            self._timer.cancel()
        due = self._session.next_due()
        if due is not None and self._loop is not None:
            pause = max(0.0, due - time.monotonic())
            self._timer = self._loop.call_later(pause, self._on_timer)

    def _on_timer(self) -> None:
        self._session.advance(time.monotonic())
        self._move()

    def _flush(self) -> None:
        """Subscribes first, so that a stream seldom starts unheard."""
        if self._streams is None and self._session.daemon is not None:
            endpoint = self._session.daemon.stream_endpoint
            self._streams = wire.open_streams(_context(), endpoint)
            self._read(self._streams)
        while self._session.topics and self._streams is not None:
            wire.subscribe(self._streams, *self._session.topics.popleft())
        while self._session.outgoing and self._control is not None:
            future = self._control.send(self._session.outgoing.popleft())
            future.add_done_callback(_forget_failure)


class AsyncStream:
    """The events of one request, in order. Iterate once; the last event is
    Finished. `aclose` and the end of an `async with` block cancel a request
    that still runs; so does leaving the iteration by an exception inside
    `async with`."""

    def __init__(
        self, client: AsyncClient, request: Request, timeout: float
    ) -> None:
        self._client = client
        self._request = request
        self._timeout = timeout
        self._call: Optional[StreamCall] = None
        self._changed = asyncio.Event()
        self._closed = False

    @property
    def request_id(self) -> str:
        return self._request.request_id

    def __aiter__(self) -> AsyncStream:
        return self

    async def __anext__(self) -> Event:
        if self._closed:
            raise StopAsyncIteration
        call = self._call or await self._start()
        while not call.ready:
            self._changed.clear()
            await self._changed.wait()
        if call.state.events:
            return call.state.events.popleft()
        self._closed = True
        if call.state.error is not None:
            raise call.state.error
        raise StopAsyncIteration

    async def _start(self) -> StreamCall:
        await self._client._connect()
        session = self._client._session
        now = time.monotonic()
        self._call = session.submit(self._request, now, self._timeout)
        self._call.changed = self._changed.set
        self._client._move()
        return self._call

    async def aclose(self) -> None:
        """Cancels the request unless it has ended."""
        if self._call is not None and not self._closed:
            self._client._session.abandon(self._call)
            self._client._move()
        self._closed = True

    async def __aenter__(self) -> AsyncStream:
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self.aclose()


def _context() -> Any:
    """The process's one context, seen by asyncio."""
    return zmq.asyncio.Context.shadow(zmq.Context.instance().underlying)


def _forget_failure(future: Any) -> None:
    """A frame that could not be sent is asked for again, or times out."""
    if not future.cancelled():
        future.exception()
