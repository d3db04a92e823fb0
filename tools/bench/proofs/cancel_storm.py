# SPDX-License-Identifier: Apache-2.0
"""Requests that are cancelled at random times, in every state."""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from dataclasses import dataclass, field
from typing import Any, Optional

from .daemon import (Daemon, Setup, pages_in_use, require_clean, running,
                     series)
from .load import ENDED, Track, follow, milliseconds, prompt_of, request
from .outcome import Outcome, say

MODEL = "llama-160m"
# Steps that were planned already may still give tokens, two sequences each;
# and answers come by another socket than tokens.
MOST_AFTER = 8
STATES = ("waiting", "in the prompt", "decoding", "done before",
          "after giving way")  # pages: perhaps without them, or swapped


def add_options(add: Any) -> None:
    add("--requests", type=int, default=150, help="default 150")
    add("--open", type=int, default=24, help="at a time; default 24")
    add("--patience", type=float, default=0.6,
        help="seconds until the last moment to cancel; default 0.6")
    add("--max-sequences", type=int, default=8, help="default 8")
    add("--input-len", type=int, default=200, help="at most; default 200")
    add("--output-len", type=int, default=40, help="at most; default 40")
    add("--probes", type=int, default=10,
        help="single requests, for the time until pages are free; default 10")
    add("--seed", type=int, default=1)


LONG = {"requests": 5000, "open": 64, "probes": 200, "patience": 1.0}


@dataclass
class Cancelled(Track):
    """cancelled     when the client said so; 0: it had ended by itself
    acknowledged  tokens that had come when the daemon had answered
    """

    cancelled: float = 0.0
    acknowledged: int = 0

    @property
    def went_on(self) -> int:
        """Tokens that came after the daemon had answered the cancel."""
        return self.tokens - self.acknowledged if self.cancelled else 0

    @property
    def state(self) -> str:
        """In which the cancel found it, as the receipt tells."""
        if self.reason != "cancelled":
            return STATES[3]
        if self.receipt is None or self.receipt.steps == 0:
            return STATES[0]
        if self.receipt.preemptions > 0:
            return STATES[4]
        return STATES[2] if self.receipt.generated_tokens else STATES[1]


@dataclass
class Storm:
    """What the requests are drawn from."""

    options: argparse.Namespace
    vocabulary: int
    source: random.Random
    tracks: list[Cancelled] = field(default_factory=list)

    async def one(self, client: Any, seed: int) -> None:
        options, source = self.options, self.source
        length = source.randint(1, options.input_len)
        asked = request(prompt_of(length, seed, self.vocabulary),
                        source.randint(1, options.output_len),
                        n=source.choice((1, 1, 1, 2)))
        track = Cancelled()
        self.tracks.append(track)
        reading = asyncio.ensure_future(follow(client, asked, track))
        await asyncio.sleep(0)  # it submits
        # By time, soon or late, or by tokens: whatever the machine's speed,
        # all states come up.
        if source.random() < 0.5:
            longest = options.patience * source.choice((0.1, 1.0))
            await asyncio.wait({reading}, timeout=source.uniform(0, longest))
        else:
            some = source.randrange(asked.max_tokens)
            while len(track.times) < some and not reading.done():
                await asyncio.sleep(0.001)
        if not reading.done():
            track.cancelled = time.perf_counter()
            await client.cancel(asked.request_id)
            track.acknowledged = track.tokens
        await reading

    async def run(self, daemon: Daemon) -> None:
        room = asyncio.Semaphore(self.options.open)
        async with daemon.async_client() as client:
            await client.health()

            async def next_one(seed: int) -> None:
                async with room:
                    await self.one(client, seed)
                    if seed % 500 == 499:
                        say(f"{seed + 1} requests")

            await asyncio.gather(*map(next_one, range(self.options.requests)))


async def probe(daemon: Daemon, options: argparse.Namespace,
                vocabulary: int) -> list[float]:
    """Seconds from the cancel of the only request to all pages free."""
    times = []
    async with daemon.async_client() as client:
        for seed in range(options.probes):
            asked = request(prompt_of(options.input_len, seed, vocabulary),
                            1000)
            track = Track()
            reading = asyncio.ensure_future(follow(client, asked, track))
            while not track.times and not track.outcome:
                await asyncio.sleep(0.001)
            began = time.perf_counter()
            await client.cancel(asked.request_id)
            while pages_in_use(await client.stats()) > 0:
                pass
            times.append(time.perf_counter() - began)
            await reading
    return times


def row_of(name: str, tracks: list[Cancelled]) -> dict[str, Any]:
    waits = [t.ended - t.cancelled for t in tracks if t.cancelled]
    worst: Optional[float] = milliseconds(waits, 100)
    return {"state": name, "requests": len(tracks),
            "to the end p50 ms": milliseconds(waits, 50),
            "p99 ms": milliseconds(waits, 99), "most ms": worst}


def judge(tracks: list[Cancelled], stats: dict[str, float],
          found: Outcome) -> None:
    strange = {t.outcome for t in tracks} - {ENDED, "cancelled"}
    found.require(not strange, f"requests ended as {sorted(strange)}")
    lost = sum(track.terminals != 1 for track in tracks)
    found.require(lost == 0, f"{lost} requests without exactly one end")
    most = max(track.went_on for track in tracks)
    found.require(most <= MOST_AFTER,
                  f"a cancelled request gave {most} further tokens")
    found.require(any(track.cancelled for track in tracks),
                  "no request was cancelled")
    for name in ("running", "waiting"):
        left = series(stats, f"sluice_requests_{name}")
        found.require(left == 0, f"{left:.0f} requests are still {name}")


def prove(setup: Setup, options: argparse.Namespace) -> Outcome:
    """Pages lost, and the time from a cancel to the end and to free pages."""
    found = Outcome()
    with running(setup, scheduling__max_sequences=options.max_sequences,
                 limits__requests_per_client=1_000_000) as daemon:
        vocabulary = daemon.model().vocabulary
        storm = Storm(options, vocabulary, random.Random(options.seed))
        say(f"{options.requests} requests")
        asyncio.run(storm.run(daemon))
        require_clean(daemon, found)
        judge(storm.tracks, daemon.stats(), found)
        lost = pages_in_use(daemon.stats())
        say("pages")
        pages = asyncio.run(probe(daemon, options, vocabulary))
        require_clean(daemon, found)
    for state in STATES:
        some = [t for t in storm.tracks if t.state == state]
        if some:
            found.rows.append(row_of(state, some))
    found.rows.append(row_of("all", storm.tracks))
    found.notes.append(
        f"{lost:.0f} pages lost; from cancel to pages free, of {len(pages)} "
        f"single requests: p50 {milliseconds(pages, 50) or 0:.3g} ms, p99 "
        f"{milliseconds(pages, 99) or 0:.3g} ms")
    return found
