# SPDX-License-Identifier: Apache-2.0
"""Requests that share the head of their prompts."""

from __future__ import annotations

import argparse
import asyncio
import subprocess
from typing import Any

from .daemon import Daemon, Setup, require_clean, running
from .load import ENDED, Track, follow, milliseconds, prompt_of, request
from .outcome import Outcome, say

MODEL = "llama-160m"
OPTION = "memory.prefix_cache"


def add_options(add: Any) -> None:
    add("--requests", type=int, default=12, help="default 12")
    add("--head", type=int, default=200,
        help="tokens that all share; default 200")
    add("--tail", type=int, default=20, help="tokens of each; default 20")
    add("--output-len", type=int, default=8)
    add("--concurrency", type=int, default=2, help="default 2")


LONG = {"requests": 200, "head": 1000, "tail": 50, "output_len": 16,
        "concurrency": 4}


def has_option(setup: Setup) -> bool:
    help_text = subprocess.run(
        [str(setup.sluice.with_name("sluiced")), "--help"],
        capture_output=True, text=True, check=False).stdout
    return OPTION in help_text


class Reading(Track):
    """A track that keeps the answer, to be compared."""

    def __init__(self) -> None:
        super().__init__()
        self.answer: tuple[int, ...] = ()

    def take(self, event: Any) -> None:
        super().take(event)
        self.answer += tuple(getattr(event, "tokens", ()))

    @property
    def cached(self) -> int:
        return self.receipt.cached_tokens if self.receipt else 0


async def ask_all(daemon: Daemon, options: argparse.Namespace,
                  tenant: str, count: int) -> list[Reading]:
    """By some at a time; the same prompts and answers for every tenant."""
    vocabulary = daemon.model().vocabulary
    head = prompt_of(options.head, 0, vocabulary)
    tracks = [Reading() for _ in range(count)]
    room = asyncio.Semaphore(options.concurrency)
    async with daemon.async_client(tenant=tenant) as client:
        await client.health()

        async def one(index: int) -> None:
            tail = prompt_of(options.tail, index + 1, vocabulary)
            asked = request(head + tail, options.output_len)
            async with room:
                await follow(client, asked, tracks[index])

        await asyncio.gather(*map(one, range(count)))
    return tracks


def row_of(name: str, tracks: list[Reading]) -> dict[str, Any]:
    prompts = [t.receipt.prompt_tokens for t in tracks if t.receipt]
    cached = [t.cached for t in tracks]
    return {"cache": name, "requests": len(tracks),
            "prompt tokens": sum(prompts),
            "computed": sum(prompts) - sum(cached),
            "requests with a hit": sum(c > 0 for c in cached),
            "tokens of a hit, most": max(cached, default=0),
            "hit rate %": 100 * sum(cached) / max(1, sum(prompts)),
            "TTFT p50 ms": milliseconds((t.ttft for t in tracks), 50),
            "TTFT p99 ms": milliseconds((t.ttft for t in tracks), 99)}


def measure(setup: Setup, options: argparse.Namespace, name: str,
            settings: dict[str, Any], found: Outcome) -> list[Reading]:
    say(f"cache {name}")
    with running(setup, **settings) as daemon:
        tracks = asyncio.run(
            ask_all(daemon, options, "one", options.requests))
        failed = {t.outcome for t in tracks} - {ENDED}
        found.require(not failed, f"requests ended as {sorted(failed)}")
        if not failed:
            found.rows.append(row_of(name, tracks))
        other = asyncio.run(ask_all(daemon, options, "other", 1))
        found.require(other[0].cached == 0,
                      f"another tenant found {other[0].cached} tokens of its "
                      "text in the cache")
        found.require(other[0].answer == tracks[0].answer,
                      "another tenant got another answer to the same text")
        require_clean(daemon, found)
    return tracks


def prove(setup: Setup, options: argparse.Namespace) -> Outcome:
    """Prompt tokens computed, hits and TTFT, with the cache on and off."""
    found = Outcome()
    if not has_option(setup):
        found.notes.append(f"this daemon has no {OPTION}: it was run once")
        measure(setup, options, "as it is", {}, found)
        return found
    option = OPTION.replace(".", "__")
    without = measure(setup, options, "off", {option: "false"}, found)
    found.require(not any(t.cached for t in without),
                  "there were hits without a cache")
    with_it = measure(setup, options, "on", {option: "true"}, found)
    found.require(any(t.cached for t in with_it), "there was no hit")
    same = all(a.answer == b.answer for a, b in zip(without, with_it))
    found.require(same, "an answer depends on the cache")
    return found
