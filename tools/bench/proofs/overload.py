# SPDX-License-Identifier: Apache-2.0
"""Ten times as many requests as can be served."""

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
REFUSALS = ("queue_full", "too_many_requests")
KV_BYTES = 256 << 20
# What may come beside KV: windows for replay (limits.windows_bytes is
# 256 MiB), the queue, the allocator's slack.
BESIDE_BYTES = 384 << 20
SAMPLE = 0.1  # seconds between two looks at the memory


def add_options(add: Any) -> None:
    add("--seconds", type=float, default=5, help="of overload; default 5")
    add("--factor", type=float, default=10, help="of capacity; default 10")
    add("--max-sequences", type=int, default=8, help="default 8")
    add("--queue", type=int, default=32, help="limits.queue; default 32")
    add("--input-len", type=int, default=32)
    add("--output-len", type=int, default=16)
    add("--seed", type=int, default=1)


LONG = {"seconds": 60.0, "input_len": 128, "output_len": 32}


async def sample_memory(daemon: Daemon, into: list[int]) -> None:
    while True:
        into.append(daemon.resident_bytes())
        await asyncio.sleep(SAMPLE)


async def burst(daemon: Daemon, options: argparse.Namespace) -> list[Track]:
    """Twice what can run and wait, all at once: some must be refused."""
    vocabulary = daemon.model().vocabulary
    crowd = Crowd()
    async with daemon.async_client() as client:
        await client.health()
        for seed in range(2 * (options.queue + options.max_sequences)):
            prompt = prompt_of(options.input_len, seed, vocabulary)
            crowd.send(client, request(prompt, options.output_len))
        await crowd.all_ended()
    return crowd.tracks


async def storm(daemon: Daemon, options: argparse.Namespace, rate: float,
                memory: list[int]) -> tuple[list[Track], float]:
    """A Poisson process at the rate; (tracks, seconds it took to send)."""
    source = random.Random(options.seed)
    vocabulary = daemon.model().vocabulary
    crowd = Crowd()
    async with daemon.async_client() as client:
        await client.health()
        watch = asyncio.ensure_future(sample_memory(daemon, memory))
        begin = at = time.perf_counter()
        while at < begin + options.seconds:
            await pause_until(at)
            prompt = prompt_of(options.input_len, source.randrange(1 << 30),
                               vocabulary)
            crowd.send(client, request(prompt, options.output_len))
            at += source.expovariate(rate)
        sending = time.perf_counter() - begin
        await crowd.all_ended()
        watch.cancel()
    return crowd.tracks, sending


def served_per_second(tracks: list[Track], seconds: float) -> float:
    """While requests kept coming, the first fifth of the time left out."""
    begin = min(track.sent for track in tracks)
    first, last = begin + 0.2 * seconds, begin + seconds
    tokens = sum(t.tokens_between(first, last) for t in tracks)
    per_request = next(t.tokens for t in tracks if t.outcome == ENDED)
    return tokens / per_request / (last - first)


def judge(tracks: list[Track], memory: list[int], before: int,
          found: Outcome) -> None:
    strange = {t.outcome for t in tracks} - {ENDED, *REFUSALS}
    found.require(not strange, f"requests ended as {sorted(strange)}")
    lost = sum(track.terminals != 1 for track in tracks)
    found.require(lost == 0, f"{lost} requests without exactly one end")
    short = sum(t.outcome == ENDED and t.reason != "length" for t in tracks)
    found.require(short == 0, f"{short} answers were cut short")
    growth = max(memory) - before
    found.require(growth <= KV_BYTES + BESIDE_BYTES,
                  f"memory grew by {growth >> 20} MiB")


def prove(setup: Setup, options: argparse.Namespace) -> Outcome:
    """Goodput against capacity, refusals, memory."""
    found = Outcome()
    with running(setup, scheduling__max_sequences=options.max_sequences,
                 limits__queue=options.queue, memory__kv_bytes=KV_BYTES,
                 limits__requests_per_client=1_000_000) as daemon:
        before = daemon.resident_bytes()
        capacity = capacity_of(daemon, options.input_len, options.output_len,
                               options.max_sequences)
        say("all at once")
        tracks = asyncio.run(burst(daemon, options))
        found.require(any(t.outcome in REFUSALS for t in tracks),
                      "no request was refused of twice as many as fit")
        judge(tracks, [daemon.resident_bytes()], before, found)
        rate = options.factor * capacity
        say(f"{rate:.0f} requests/s for {options.seconds:g} s")
        memory = [daemon.resident_bytes()]
        tracks, sending = asyncio.run(storm(daemon, options, rate, memory))
        judge(tracks, memory, before, found)
        require_clean(daemon, found)
        goodput = served_per_second(tracks, sending)
    refusals = [t.ended - t.sent for t in tracks if t.outcome in REFUSALS]
    half = max(memory[: len(memory) // 2 + 1])
    found.rows.append({
        "capacity/s": capacity, "offered/s": len(tracks) / sending,
        "goodput/s": goodput, "of capacity %": 100 * goodput / capacity,
        "served": sum(t.outcome == ENDED for t in tracks),
        "refused": len(refusals),
        "refusal p50 ms": milliseconds(refusals, 50),
        "refusal p99 ms": milliseconds(refusals, 99),
        "memory MiB": max(memory) >> 20,
        "of it since half-time": (max(memory) - half) >> 20})
    return found
