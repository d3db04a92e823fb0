# SPDX-License-Identifier: Apache-2.0
"""Requests under way, and when what came of them."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from comparison.streams import percentile

import sluice

ENDED = "finished"
CUT_OFF = ("cancelled", "disconnected")  # reasons of a request that was ended


@dataclass
class Track:
    """One request. Times are of time.perf_counter.

    outcome  "finished", the reason of one that was cut off, or the code of a
             rejection or failure; empty: no end
    """

    tenant: str = ""
    sent: float = 0.0
    times: list[float] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    ended: float = 0.0
    outcome: str = ""
    reason: str = ""
    terminals: int = 0
    receipt: Optional[sluice.Receipt] = None

    @property
    def tokens(self) -> int:
        return sum(self.counts)

    @property
    def ttft(self) -> float:
        return self.times[0] - self.sent

    @property
    def gaps(self) -> list[float]:
        return [b - a for a, b in zip(self.times, self.times[1:])]

    def tokens_between(self, begin: float, end: float) -> int:
        return sum(count for at, count in zip(self.times, self.counts)
                   if begin <= at < end)

    def gaps_between(self, begin: float, end: float) -> list[float]:
        """Gaps that end in the time."""
        return [b - a for a, b in zip(self.times, self.times[1:])
                if begin <= b < end]

    def take(self, event: sluice.Event) -> None:
        now = time.perf_counter()
        if isinstance(event, sluice.Delta) and event.tokens:
            self.times.append(now)
            self.counts.append(len(event.tokens))
        elif isinstance(event, sluice.Finished):
            self.reason = event.reason
            self.end(self.reason if self.reason in CUT_OFF else ENDED, now)
            self.receipt = event.receipt

    def end(self, outcome: str, now: float) -> None:
        self.outcome = outcome
        self.ended = now
        self.terminals += 1


def prompt_of(tokens: int, seed: int, vocabulary: int) -> list[int]:
    """Ids away from the special ones at the ends."""
    source = random.Random(seed)
    low, high = vocabulary // 8, vocabulary - vocabulary // 8
    return [source.randrange(low, high) for _ in range(tokens)]


def request(prompt: Sequence[int], tokens: int,
            **options: Any) -> sluice.Request:
    """Generates exactly so many tokens, the same in every run."""
    fixed = {"temperature": 0.0, "seed": 1, "ignore_eos": True, **options}
    return sluice.Request(prompt_tokens=prompt, max_tokens=tokens, **fixed)


async def follow(client: sluice.AsyncClient, asked: sluice.Request,
                 track: Track) -> Track:
    """Submits and reads to the end; failures become the outcome."""
    track.tenant = client.settings.tenant
    track.sent = time.perf_counter()
    try:
        async for event in client.stream(asked):
            track.take(event)
    except (sluice.Rejected, sluice.Failed) as error:
        track.end(error.code, time.perf_counter())
    except sluice.SluiceError as error:
        track.end(type(error).__name__, time.perf_counter())
    return track


class Crowd:
    """Streams that run beside each other, and their tracks."""

    def __init__(self) -> None:
        self.tracks: list[Track] = []
        self._tasks: set[asyncio.Task[Any]] = set()

    def send(self, client: sluice.AsyncClient,
             asked: sluice.Request) -> Track:
        track = Track()
        self.tracks.append(track)
        self.start(follow(client, asked, track))
        return track

    def start(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def cancel(self) -> None:
        """Forgets all streams; the daemon is told to cancel them."""
        for task in self._tasks:
            task.cancel()

    async def all_ended(self) -> None:
        while self._tasks:
            done, _ = await asyncio.wait(set(self._tasks))
            for task in done:
                task.result()  # raises what it raised


async def pause_until(when: float) -> None:
    """Not before this time of perf_counter."""
    await asyncio.sleep(max(0.0, when - time.perf_counter()))


def rank(values: Iterable[float], percent: float) -> Optional[float]:
    """A percentile; nothing of nothing."""
    some = list(values)
    return percentile(some, percent) if some else None


def milliseconds(seconds: Iterable[float], percent: float) -> Optional[float]:
    """The same, of times."""
    return rank((second * 1e3 for second in seconds), percent)
