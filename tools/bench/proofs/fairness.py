# SPDX-License-Identifier: Apache-2.0
"""A quiet tenant beside one that floods the daemon."""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from typing import Any

from .capacity import capacity_of
from .daemon import Daemon, Setup, require_clean, running
from .load import (ENDED, Crowd, Track, milliseconds, pause_until, prompt_of,
                   request)
from .outcome import Outcome, say

MODEL = "llama-160m"
RATIO = 20  # requests of the flood for one of the quiet tenant


def add_options(add: Any) -> None:
    add("--quiet-requests", type=int, default=8,
        help="of the quiet tenant; default 8")
    add("--flood", type=float, default=2,
        help="requests for one that can be served; default 2")
    add("--max-sequences", type=int, default=4, help="default 4")
    add("--input-len", type=int, default=32)
    add("--output-len", type=int, default=16)
    add("--seed", type=int, default=1)


LONG = {"quiet_requests": 100, "max_sequences": 8, "input_len": 128,
        "output_len": 32}


async def flood(daemon: Daemon, options: argparse.Namespace,
                rate: float) -> tuple[list[Track], list[Track]]:
    """Both tenants send by a Poisson process; (quiet, loud) when all ended."""
    source = random.Random(options.seed)
    vocabulary = daemon.model().vocabulary
    quiet, loud = Crowd(), Crowd()
    async with daemon.async_client(tenant="quiet") as one, \
            daemon.async_client(tenant="loud") as other:
        await asyncio.gather(one.health(), other.health())

        async def send(client: Any, crowd: Crowd, pace: float,
                       count: int) -> None:
            at = time.perf_counter()
            for _ in range(count):
                at += source.expovariate(pace)
                await pause_until(at)
                prompt = prompt_of(options.input_len, source.randrange(1 << 30),
                                   vocabulary)
                crowd.send(client, request(prompt, options.output_len))

        count = options.quiet_requests
        await asyncio.gather(send(other, loud, rate, RATIO * count),
                             send(one, quiet, rate / RATIO, count))
        await quiet.all_ended()
        await loud.all_ended()
    return quiet.tracks, loud.tracks


def overtakers(track: Track, loud: list[Track]) -> int:
    """Requests of the flood that began while this one waited."""
    return sum(bool(other.times) and
               track.sent < other.times[0] < track.times[0] for other in loud)


def row_of(name: str, quiet: list[Track], loud: list[Track],
           found: Outcome) -> int:
    """Adds a row; returns how many went before a quiet request, at most."""
    served = [track for track in quiet if track.times]
    found.require(len(served) == len(quiet),
                  f"{name}: a request of the quiet tenant was not served: "
                  f"{sorted({t.outcome for t in quiet})}")
    lost = sum(track.terminals != 1 for track in quiet + loud)
    found.require(lost == 0, f"{name}: {lost} requests without one end")
    before = [overtakers(track, loud) for track in served]
    of_flood = [track.ttft for track in loud if track.times]
    found.rows.append({
        "order": name, "quiet requests": len(quiet),
        "quiet TTFT p50 ms": milliseconds((t.ttft for t in served), 50),
        "quiet TTFT p99 ms": milliseconds((t.ttft for t in served), 99),
        "most before one": max(before, default=0),
        "flood requests": len(loud),
        "flood served": sum(t.outcome == ENDED for t in loud),
        "flood TTFT p50 ms": milliseconds(of_flood, 50)})
    return max(before, default=0)


def prove(setup: Setup, options: argparse.Namespace) -> Outcome:
    """TTFT of the quiet tenant, with fair share and first come, first served."""
    found = Outcome()
    common = {"scheduling__max_sequences": options.max_sequences,
              "limits__requests_per_client": 1_000_000}
    with running(setup, **common) as daemon:
        capacity = capacity_of(daemon, options.input_len, options.output_len,
                               options.max_sequences)
        rate = options.flood * capacity
        found.notes.append(f"{capacity:.3g} requests/s can be served; the "
                           f"flood sends {rate:.3g}, the quiet tenant "
                           f"{rate / RATIO:.3g}")
        say("fair share")
        both = asyncio.run(flood(daemon, options, rate))
        most = row_of("fair share", *both, found)
        # Those that run already may be in their prompts; then it is its turn.
        found.require(most <= 2 * options.max_sequences,
                      f"{most} requests of the flood went before one of the "
                      "quiet tenant")
        require_clean(daemon, found)
    say("first come, first served")
    with running(setup, scheduling__fair_share="false", **common) as daemon:
        both = asyncio.run(flood(daemon, options, rate))
        row_of("first come", *both, found)
        require_clean(daemon, found)
    return found
