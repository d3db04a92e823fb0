# SPDX-License-Identifier: Apache-2.0
"""KV positions that have a page and no use, over a mixed load."""

from __future__ import annotations

import argparse
import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

from .daemon import (Daemon, Setup, pages_in_use, require_clean, running,
                     series)
from .load import Track, follow, prompt_of, rank, request
from .outcome import Outcome, say

MODEL = "llama-160m"
WASTE = "sluice_kv_waste_tokens"
MOST = "sluice_kv_waste_most_tokens"
PAUSE = 0.02  # seconds between two samples


def add_options(add: Any) -> None:
    add("--requests", type=int, default=24, help="default 24")
    add("--open", type=int, default=8, help="at a time; default 8")
    add("--page-tokens", default="8,16,32", help="default 8,16,32")
    add("--input-len", type=int, default=100, help="mean; default 100")
    add("--output-len", type=int, default=40, help="mean; default 40")
    add("--seed", type=int, default=1)


LONG = {"requests": 300, "open": 16, "input_len": 400, "output_len": 150}


@dataclass(frozen=True)
class Sample:
    """allocated  positions of all pages in use
    unused       of them, those without KV
    """

    allocated: float
    unused: float


@dataclass
class Asked:
    prompt_tokens: int
    track: Track

    @property
    def decodes(self) -> bool:
        return bool(self.track.times) and not self.track.outcome

    @property
    def computed(self) -> int:
        """Positions with KV: the last token's is not computed yet."""
        return self.prompt_tokens + self.track.tokens - 1


def streams_of(asked: list[Asked]) -> list[Asked]:
    """Those that run, if all of them decode: a prompt's pages come before its
    KV, and are no waste."""
    if any(not a.track.times and not a.track.outcome for a in asked):
        return []
    return [a for a in asked if a.decodes]


def sample_of(stats: Mapping[str, float], page: int,
              streams: list[Asked]) -> Optional[Sample]:
    """As the daemon says; if it says nothing, as its clients know."""
    allocated = pages_in_use(stats) * page
    if allocated <= 0 or not streams:
        return None
    if any(name.partition("{")[0] == WASTE for name in stats):
        return Sample(allocated, series(stats, WASTE))
    used = sum(a.computed for a in streams if a.decodes)
    return Sample(allocated, allocated - used)


@dataclass
class Watched:
    """most  unused positions of one sequence past what its plans compute, as
    the daemon knows of every grant; None if it does not tell"""

    samples: list[Sample] = field(default_factory=list)
    most: Optional[float] = None

    def add(self, stats: Mapping[str, float],
            sample: Optional[Sample]) -> None:
        if sample:
            self.samples.append(sample)
        if any(name.partition("{")[0] == MOST for name in stats):
            self.most = max(self.most or 0, series(stats, MOST))


async def load(daemon: Daemon, options: argparse.Namespace,
               page: int) -> Watched:
    source = random.Random(options.seed)
    vocabulary = daemon.model().vocabulary
    watched = Watched()
    asked: list[Asked] = []
    room = asyncio.Semaphore(options.open)
    async with daemon.async_client() as client:

        async def one(seed: int) -> None:
            prompt = prompt_of(source.randint(1, 2 * options.input_len), seed,
                               vocabulary)
            tokens = source.randint(2, 2 * options.output_len)
            async with room:
                mine = Asked(len(prompt), Track())
                asked.append(mine)
                await follow(client, request(prompt, tokens), mine.track)

        async def watch() -> None:
            while True:
                before = streams_of(asked)
                stats = await client.stats()
                after = streams_of(asked)
                watched.add(stats,
                            sample_of(stats, page, before) if after else None)
                await asyncio.sleep(PAUSE)

        watching = asyncio.ensure_future(watch())
        await asyncio.gather(*map(one, range(options.requests)))
        watching.cancel()
    return watched


def row_of(page: int, watched: Watched) -> dict[str, Any]:
    part = [100 * s.unused / s.allocated for s in watched.samples]
    return {"page tokens": page, "samples": len(part),
            "unused %, mean": sum(part) / len(part) if part else None,
            "unused %, p99": rank(part, 99),
            "most of a sequence": watched.most}


def prove(setup: Setup, options: argparse.Namespace) -> Outcome:
    """Allocated positions without KV, for some sizes of pages."""
    found = Outcome()
    told = True
    for text in options.page_tokens.split(","):
        page = int(text)
        say(f"pages of {page} tokens")
        with running(setup, memory__page_tokens=page) as daemon:
            watched = asyncio.run(load(daemon, options, page))
            require_clean(daemon, found)
        found.rows.append(row_of(page, watched))
        told = told and watched.most is not None
        most = watched.most or 0
        found.require(most < 2 * page,
                      f"{most:.0f} positions of a sequence are unused: more "
                      "than a tail page and one ahead")
    found.notes.append(f"as told by {WASTE} and {MOST}" if told else
                       "the daemon does not tell: estimated by the clients, "
                       "so one that ends looks like waste for a moment")
    return found
