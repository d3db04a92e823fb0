# SPDX-License-Identifier: Apache-2.0
"""How much a daemon can serve."""

from __future__ import annotations

import asyncio
import time

from comparison.processes import ComparisonError

from .daemon import Daemon
from .load import ENDED, Crowd, prompt_of, request
from .outcome import say

ROUNDS = 6  # requests for each that runs at once


def capacity_of(daemon: Daemon, prompt_tokens: int, output_tokens: int,
                sequences: int) -> float:
    """Requests per second of a daemon that always has some waiting."""
    say("capacity")
    vocabulary = daemon.model().vocabulary

    async def burst(count: int) -> float:
        crowd = Crowd()
        async with daemon.async_client() as client:
            await client.health()
            began = time.perf_counter()
            waiting = asyncio.Semaphore(2 * sequences)

            async def one(seed: int) -> None:
                async with waiting:
                    asked = request(prompt_of(prompt_tokens, seed, vocabulary),
                                    output_tokens)
                    track = crowd.send(client, asked)
                    while not track.outcome:
                        await asyncio.sleep(0.002)

            await asyncio.gather(*map(one, range(count)))
            ended = [t.ended for t in crowd.tracks if t.outcome == ENDED]
        if len(ended) < count:
            raise ComparisonError("a request failed while nothing else ran: "
                                  + crowd.tracks[-1].outcome)
        return count / (max(ended) - began)

    asyncio.run(burst(2 * sequences))  # wakes the machine
    return asyncio.run(burst(ROUNDS * sequences))
