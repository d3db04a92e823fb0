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
from comparison.streams import Stream, Work, body_of, drive, read_answer

from .daemon import Daemon, Setup, running
from .load import (ENDED, Crowd, Track, follow, milliseconds, pause_until,
                   prompt_of, request)
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
    add("--victim-tokens", type=int, default=256,
        help="of a stream, then the next one starts; default 256")
    add("--itl-targets", default="0,50",
        help="milliseconds, 0: unset; default 0,50")
    add("--kv-bytes", default="1GiB", help="memory.kv_bytes; default 1GiB")
    add("--peer", metavar="LLAMA_SERVER", help="the same for this server")
    add("--peer-flag", action="append", default=[], metavar="FLAG",
        help="passed to the server; may be repeated")


LONG = {"prompt": 16384, "quiet": 10.0, "itl_targets": "0,20,50",
        "kv_bytes": "4GiB"}


@dataclass(frozen=True)
class Plan:
    """What both servers are asked."""

    prompts: list[list[int]]  # of the victims
    tokens: int  # of a victim's stream
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
    """When the prompt came and had its first token, and what the others got.

    victims  each one's streams, one after the other
    """

    began: float
    victims: list[list[Track]]
    arrived: float
    first_token: float
    over: float = 0.0

    @property
    def streams(self) -> list[Track]:
        return [stream for victim in self.victims for stream in victim]

    def row(self, name: str) -> dict[str, Any]:
        calm = (self.began, self.arrived)
        stormy = (self.arrived, self.first_token)
        before, during = self._rate(*calm), self._rate(*stormy)
        after = self._rate(self.first_token, self.over)
        return {"server": name,
                "before tokens/s": before,
                "beside tokens/s": during,
                "after tokens/s": after,
                "rate kept %": 200 * during / (before + after),
                "before p99 ITL ms": self._itl(*calm, 99),
                "beside p50 ITL ms": self._itl(*stormy, 50),
                "beside p99 ITL ms": self._itl(*stormy, 99),
                "longest gap ms": self._itl(*stormy, 100),
                "prompt's TTFT s": self.first_token - self.arrived}

    def _rate(self, begin: float, end: float) -> float:
        tokens = sum(s.tokens_between(begin, end) for s in self.streams)
        return tokens / (end - begin)

    def _itl(self, begin: float, end: float,
             percent: float) -> Optional[float]:
        """Of gaps that are at least partly in the time."""
        return milliseconds(
            (after - before for s in self.streams
             for before, after in zip(s.times, s.times[1:])
             if after > begin and before < end), percent)

    def go_on(self) -> bool:
        """All victims have had a token since."""
        return all(any(s.times and s.times[-1] > self.first_token
                       for s in victim[-2:]) for victim in self.victims)

    def end(self) -> Seen:
        self.over = time.perf_counter()
        return self


async def be_victim(client: Any, plan: Plan, prompt: list[int],
                    streams: list[Track]) -> None:
    """One stream after the other, so that contexts stay short."""
    while True:
        streams.append(Track())
        await follow(client, request(prompt, plan.tokens), streams[-1])
        if streams[-1].outcome != ENDED:
            return


async def disturb(daemon: Daemon, plan: Plan, found: Outcome) -> Seen:
    """Victims decode until the intruder has its first token."""
    async with daemon.async_client() as client:
        await client.health()
        victims: list[list[Track]] = [[] for _ in plan.prompts]
        tasks = [asyncio.ensure_future(be_victim(client, plan, prompt, mine))
                 for prompt, mine in zip(plan.prompts, victims)]
        while not all(mine and mine[-1].times for mine in victims):
            await asyncio.sleep(0.01)
        began = time.perf_counter() + CALM * plan.quiet
        await pause_until(began + plan.quiet)
        intruder = await follow(client, request(plan.intruder, 1), Track())
        if not intruder.times:
            raise ComparisonError(f"the long prompt: {intruder.outcome}")
        seen = Seen(began, victims, intruder.sent, intruder.times[0])
        end = time.perf_counter() + PATIENCE
        while not seen.go_on() and time.perf_counter() < end:
            await asyncio.sleep(0.01)
        await asyncio.sleep(plan.quiet)
        seen.end()
        note_ends(seen, found)
        for task in tasks:
            task.cancel()
        return seen


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
    failed = [s.outcome for s in seen.streams if s.outcome not in ("", ENDED)]
    found.require(not failed, f"victims failed: {failed}")
    found.require(seen.go_on(), "a victim never got another token")


# -- a llama-server -----------------------------------------------------------


class PeerVictim(threading.Thread):
    """One stream after the other, until told to stop."""

    def __init__(self, port: int, prompt: list[int], tokens: int) -> None:
        super().__init__(daemon=True)
        self.streams: list[Stream] = []
        self.goes_on = True
        self._port = port
        self._body = body_of(prompt, tokens)
        self.start()

    def run(self) -> None:
        while self.goes_on:
            self.streams.append(Stream())
            read_answer(self._port, self._body, self.streams[-1])
            if self.streams[-1].error:
                return

    def tracks(self) -> list[Track]:
        return [Track(times=times, counts=[1] * len(times))
                for times in (list(s.times) for s in self.streams)]

    def error(self) -> str:
        return self.streams[-1].error if self.streams else ""


def check_peer(victims: list[PeerVictim]) -> None:
    for victim in victims:
        if victim.error():
            raise ComparisonError(f"the peer: {victim.error()}")


def disturb_peer(port: int, plan: Plan) -> Seen:
    victims = [PeerVictim(port, prompt, plan.tokens)
               for prompt in plan.prompts]
    while not all(v.streams and v.streams[-1].times for v in victims):
        check_peer(victims)
        time.sleep(0.01)
    began = time.perf_counter() + CALM * plan.quiet
    time.sleep(max(0.0, began + plan.quiet - time.perf_counter()))
    intruder = Stream()
    arrived = time.perf_counter()
    read_answer(port, body_of(plan.intruder, 1), intruder)
    if not intruder.times:
        raise ComparisonError(f"the peer's prompt: {intruder.error}")
    seen = Seen(began, [], arrived, intruder.times[0])
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and not (seen.victims and seen.go_on()):
        time.sleep(0.01)
        seen.victims = [v.tracks() for v in victims]
    time.sleep(plan.quiet)
    check_peer(victims)
    seen.victims = [v.tracks() for v in victims]
    seen.end()
    for victim in victims:
        victim.goes_on = False
    return seen


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
        drive(port, Work(plan.prompts, 8, len(plan.prompts)))
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
