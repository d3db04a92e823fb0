# SPDX-License-Identifier: Apache-2.0
"""Streams that decode while a long prompt arrives."""

from __future__ import annotations

import argparse
import asyncio
import pathlib
import threading
import time
from dataclasses import dataclass
from typing import Any, Optional

from comparison.processes import ComparisonError, program, serving
from comparison.servers import free_port, wait_healthy
from comparison.streams import Stream, body_of, read_answer

from .daemon import Daemon, Setup, running
from .load import (ENDED, Crowd, Track, milliseconds, pause_until, prompt_of, request)
from .outcome import Outcome, say

MODEL = "llama-160m:32768"
MARGIN = 64  # positions that the intruder leaves free
PATIENCE = 60.0  # seconds until the victims go on
VICTIM_PROMPT = 32
CALM = 0.15  # of the quiet time is let pass until all victims decode


def add_options(add: Any) -> None:
    add("--victims", type=int, default=8, help="streams; default 8")
    add("--prompt", type=int, default=1500,
        help="tokens of the long prompt, at most the context; default 1500")
    add("--quiet", type=float, default=0.5,
        help="seconds before the prompt arrives; default 0.5")
    add("--victim-tokens", type=int, default=1024,
        help="that each of them may generate; default 1024")
    add("--itl-targets", default="0,50",
        help="milliseconds, 0: unset; default 0,50")
    add("--kv-bytes", default="1GiB", help="memory.kv_bytes; default 1GiB")
    add("--peer", metavar="LLAMA_SERVER", help="the same for this server")
    add("--peer-flag", action="append", default=[], metavar="FLAG",
        help="passed to the server; may be repeated")


LONG = {"prompt": 16384, "quiet": 5.0, "victim_tokens": 6000,
        "itl_targets": "0,50,100,200", "kv_bytes": "4GiB"}


@dataclass(frozen=True)
class Plan:
    """What both servers are asked."""

    prompts: list[list[int]]  # of the victims
    tokens: int  # that a victim may generate
    intruder: list[int]
    quiet: float


def plan_of(options: argparse.Namespace, context: int,
            vocabulary: int) -> Plan:
    length = min(options.prompt, context - MARGIN)
    prompts = [prompt_of(VICTIM_PROMPT, seed, vocabulary)
               for seed in range(1, options.victims + 1)]
    tokens = min(options.victim_tokens, context - VICTIM_PROMPT)
    return Plan(prompts, tokens, prompt_of(length, 0, vocabulary),
                options.quiet)


@dataclass
class Seen:
    """When the prompt came and had its first token, and what the others got."""

    began: float
    victims: list[Track]
    arrived: float
    first_token: float
    over: float = 0.0

    def row(self, name: str) -> dict[str, Any]:
        calm = (self.began, self.arrived)
        stormy = (self.arrived, self.until)
        before, during = self._rate(*calm), self._rate(*stormy)
        after = self._rate(self.first_token, self.over)
        return {"server": name,
                "before tokens/s": before,
                "beside tokens/s": during,
                "after tokens/s": after,
                # Contexts have grown meanwhile: hence the mean of both.
                "rate kept %": 200 * during / (before + after),
                "before p99 ITL ms": self._itl(*calm, 99),
                "beside p99 ITL ms": self._itl(*stormy, 99),
                "longest gap ms": self._itl(*stormy, 100),
                "prompt's TTFT s": self.first_token - self.arrived}

    @property
    def until(self) -> float:
        """The prompt's first token, or a victim that was done before."""
        ends = [v.ended for v in self.victims if v.ended]
        return min([self.first_token, *ends])

    def _rate(self, begin: float, end: float) -> float:
        tokens = sum(v.tokens_between(begin, end) for v in self.victims)
        return tokens / (end - begin)

    def _itl(self, begin: float, end: float,
             percent: float) -> Optional[float]:
        """Of gaps that are at least partly in the time."""
        return milliseconds(
            (after - before for v in self.victims
             for before, after in zip(v.times, v.times[1:])
             if after > begin and before < end), percent)

    def go_on(self) -> bool:
        """All victims have had a token since, or are done."""
        return all(v.ended or v.times[-1] > self.first_token
                   for v in self.victims)

    def end(self) -> Seen:
        self.over = time.perf_counter()
        return self


async def disturb(daemon: Daemon, plan: Plan, found: Outcome) -> Seen:
    """Victims decode until the intruder has its first token."""
    crowd = Crowd()
    async with daemon.async_client() as client:
        await client.health()
        for prompt in plan.prompts:
            crowd.send(client, request(prompt, plan.tokens))
        victims = list(crowd.tracks)
        while not all(len(track.times) > 1 for track in victims):
            await asyncio.sleep(0.001)
            if any(track.outcome for track in victims):
                raise ComparisonError("a victim ended before it was one")
        began = time.perf_counter() + CALM * plan.quiet
        await pause_until(began + plan.quiet)
        intruder = crowd.send(client, request(plan.intruder, 1))
        while not intruder.outcome:
            await asyncio.sleep(0.001)
        if not intruder.times:
            raise ComparisonError(f"the long prompt: {intruder.outcome}")
        seen = Seen(began, victims, intruder.sent, intruder.times[0])
        end = time.perf_counter() + PATIENCE
        while not seen.go_on() and time.perf_counter() < end:
            await asyncio.sleep(0.001)
        await asyncio.sleep(plan.quiet)
        note_ends(seen, found)
        return seen.end()


def measure_ours(setup: Setup, options: argparse.Namespace, target: float,
                 found: Outcome) -> Plan:
    name = f"sluice, itl_target {target:g} ms" if target else "sluice, unset"
    say(name)
    with running(setup, scheduling__itl_target=f"{target:g}ms",
                 memory__kv_bytes=options.kv_bytes) as daemon:
        model = daemon.model()
        plan = plan_of(options, model.context_tokens, model.vocabulary)
        warm_up(daemon, plan)
        seen = asyncio.run(disturb(daemon, plan, found))
        found.rows.append(seen.row(name))
    return plan


def warm_up(daemon: Daemon, plan: Plan) -> None:
    """A lane that has seen prompts and decodes knows what they cost."""
    length = min(1024, len(plan.intruder))

    async def some() -> None:
        crowd = Crowd()
        async with daemon.async_client() as client:
            for prompt in (plan.intruder[:length], *plan.prompts):
                crowd.send(client, request(prompt, 16))
            await crowd.all_ended()

    asyncio.run(some())


def note_ends(seen: Seen, found: Outcome) -> None:
    failed = [v.outcome for v in seen.victims if v.outcome not in ("", ENDED)]
    found.require(not failed, f"victims failed: {failed}")
    found.require(seen.go_on(), "a victim never got another token")
    if seen.until < seen.first_token:
        found.notes.append("a victim was done before the prompt was: give more"
                           " --victim-tokens")


# -- a llama-server -----------------------------------------------------------


class PeerStream(threading.Thread):
    """One answer of the peer, read on a thread of its own."""

    def __init__(self, port: int, prompt: list[int], tokens: int) -> None:
        super().__init__(daemon=True)
        self.stream = Stream()
        self.sent = time.perf_counter()
        self._arguments = (port, body_of(prompt, tokens), self.stream)
        self.start()

    def run(self) -> None:
        read_answer(*self._arguments)

    def track(self) -> Track:
        times = list(self.stream.times)
        ended = 0.0 if self.is_alive() else times[-1]
        return Track(sent=self.sent, times=times, counts=[1] * len(times),
                     ended=ended)


def disturb_peer(port: int, plan: Plan) -> Seen:
    streams = [PeerStream(port, prompt, plan.tokens)
               for prompt in plan.prompts]
    while not all(len(s.stream.times) > 1 for s in streams):
        for s in streams:
            if s.stream.error:
                raise ComparisonError(f"the peer: {s.stream.error}")
        time.sleep(0.001)
    began = time.perf_counter() + CALM * plan.quiet
    time.sleep(max(0.0, began + plan.quiet - time.perf_counter()))
    intruder = PeerStream(port, plan.intruder, 1)
    intruder.join()
    if not intruder.stream.times:
        raise ComparisonError(f"the peer's prompt: {intruder.stream.error}")
    first_token = intruder.stream.times[0]
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        seen = Seen(began, [s.track() for s in streams], intruder.sent,
                    first_token)
        if seen.go_on():
            break
        time.sleep(0.01)
    time.sleep(plan.quiet)
    seen.victims = [s.track() for s in streams]
    return seen.end()


def measure_peer(server: pathlib.Path, setup: Setup, plan: Plan,
                 flags: list[str], found: Outcome) -> None:
    say(f"peer: {server.name}")
    slots = len(plan.prompts) + 1
    positions = max(len(plan.intruder), plan.tokens) + MARGIN
    port = free_port()
    command = [str(server), "-m", setup.model, "-t", str(setup.threads),
               "-np", str(slots), "-c", str(slots * positions), "--host",
               "127.0.0.1", "--port", str(port), *flags]
    with serving(command, setup.cores) as running_peer:
        wait_healthy(running_peer, port)
        warm = [PeerStream(port, prompt, 8) for prompt in plan.prompts]
        for stream in warm:
            stream.join()
        found.rows.append(disturb_peer(port, plan).row(server.name))


def prove(setup: Setup, options: argparse.Namespace) -> Outcome:
    """Rate and p99 ITL of the victims, alone and beside the prompt."""
    found = Outcome()
    plan = None
    for target in options.itl_targets.split(","):
        plan = measure_ours(setup, options, float(target), found)
    assert plan is not None
    found.notes.append(f"a prompt of {len(plan.intruder)} tokens beside "
                       f"{len(plan.prompts)} streams, {setup.threads} threads")
    if options.peer:
        measure_peer(program(options.peer), setup, plan, options.peer_flag,
                     found)
    return found
