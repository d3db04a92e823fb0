# SPDX-License-Identifier: Apache-2.0
"""The proof `victim` for a llama-server."""

from __future__ import annotations

import pathlib
import threading
import time

from comparison.processes import ComparisonError, serving
from comparison.servers import free_port, wait_healthy
from comparison.streams import Stream, Work, body_of, drive, read_answer

from .daemon import Setup
from .load import Track
from .outcome import Outcome, say
from .victim_times import CALM, PATIENCE, Plan, Seen

MARGIN = 64  # positions of a slot that stay free


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
        found.add(disturb_peer(port, plan).row(server.name))
