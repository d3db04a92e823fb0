# SPDX-License-Identifier: Apache-2.0
"""Streams that decode while a long prompt arrives."""

from __future__ import annotations

import argparse
import asyncio
import time
from typing import Any

from comparison.processes import ComparisonError, program

from .daemon import Daemon, Setup, running
from .load import (ENDED, Crowd, Track, follow, pause_until, prompt_of,
                   request)
from .outcome import Outcome, say
from .victim_peer import measure_peer
from .victim_times import CALM, PATIENCE, Plan, Seen

MODEL = "llama-160m:32768"
MARGIN = 64  # positions that the intruder leaves free
VICTIM_PROMPT = 32


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


LONG = {"prompt": 16384, "quiet": 10.0, "itl_targets": "0,50,100",
        "kv_bytes": "4GiB"}


def plan_of(options: argparse.Namespace, context: int,
            vocabulary: int) -> Plan:
    length = min(options.prompt, context - MARGIN)
    prompts = [prompt_of(VICTIM_PROMPT, seed, vocabulary)
               for seed in range(1, options.victims + 1)]
    tokens = min(options.victim_tokens, context - VICTIM_PROMPT)
    return Plan(prompts, tokens, prompt_of(length, 0, vocabulary),
                options.quiet)


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
        found.add(seen.row(name))
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
