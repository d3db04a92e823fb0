# SPDX-License-Identifier: Apache-2.0
"""Processor time of a step while streams decode: products, and all else."""

from __future__ import annotations

import argparse
import asyncio
import pathlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .daemon import Daemon, Setup, require_clean, running, series
from .load import Crowd, pause_until, prompt_of, request
from .outcome import Outcome, say

MODEL = "llama-160m"
COMPUTE = "sluice_step_compute_seconds"


def add_options(add: Any) -> None:
    add("--streams", default="1,32", help="that decode; default 1,32")
    add("--input-len", type=int, default=128, help="default 128")
    add("--seconds", type=float, default=2.0, help="measured; default 2")


LONG = {"streams": "1,8,32,64", "seconds": 15.0}


@dataclass(frozen=True)
class Moment:
    """at     seconds of perf_counter
    steps     that were computed so far, and their seconds in the executor
    threads   seconds on a processor of each thread of the daemon
    """

    at: float
    steps: float
    compute: float
    threads: Mapping[str, float]


def processor_times(pid: int) -> dict[str, float]:
    tasks = pathlib.Path(f"/proc/{pid}/task").iterdir()
    return {task.name: int((task / "schedstat").read_text().split()[0]) / 1e9
            for task in tasks}


async def look(client: Any, pid: int) -> Moment:
    stats = await client.stats()
    return Moment(time.perf_counter(), series(stats, COMPUTE + "_count"),
                  series(stats, COMPUTE + "_sum"), processor_times(pid))


async def decode(daemon: Daemon, streams: int,
                 options: argparse.Namespace) -> tuple[Moment, Moment]:
    """What was counted before and after all streams have decoded a while."""
    model = daemon.model()
    async with daemon.async_client() as client:
        crowd = Crowd()
        for seed in range(streams):
            prompt = prompt_of(options.input_len, seed, model.vocabulary)
            room = model.context_tokens - options.input_len
            crowd.send(client, request(prompt, room))
        while not all(track.times for track in crowd.tracks):
            daemon.check()
            await asyncio.sleep(0.05)
        before = await look(client, daemon.pid)
        await pause_until(before.at + options.seconds)
        after = await look(client, daemon.pid)
        crowd.cancel()
    return before, after


def row_of(streams: int, threads: int, before: Moment,
           after: Moment) -> dict[str, Any]:
    """Microseconds of a step. The threads that compute are the busiest."""
    steps = after.steps - before.steps
    each = sorted((after.threads[name] - before.threads.get(name, 0.0)
                   for name in after.threads), reverse=True)

    def us(seconds: float) -> float:
        return 1e6 * seconds / steps

    return {"streams": streams, "steps": int(steps),
            "step, us": us(after.at - before.at),
            "in the executor": us(after.compute - before.compute),
            "processor: threads that compute": us(sum(each[:threads])),
            "other threads": us(sum(each[threads:]))}


def prove(setup: Setup, options: argparse.Namespace) -> Outcome:
    """Processor time of a step by thread: those that compute, and actors and
    sockets."""
    found = Outcome()
    for text in options.streams.split(","):
        say(f"{text} streams")
        with running(setup) as daemon:
            before, after = asyncio.run(decode(daemon, int(text), options))
            found.require(after.steps > before.steps, "no step was computed")
            if after.steps > before.steps:
                found.add(row_of(int(text), setup.threads, before, after))
            require_clean(daemon, found)
    return found
