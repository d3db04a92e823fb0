#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The output contract: the answers are the same bytes whatever the batch, the
chunks of the prompt and the number of threads.

    contract.py [--model DIR] [--rows N] [--batches 1,4,16] [--chunks 8,64,512]
                [--threads 1,2]

Each setting is a daemon of its own; each row is asked at temperature 0 and at
0.8 with a seed. Prints one line a setting and exits 1 if any answer differs
from the first setting's.
"""

import argparse
import asyncio
import hashlib
import itertools
import sys

import harness
import sluice

TEMPERATURES = (0.0, 0.8)


async def ask_all(endpoint, rows, in_flight):
    """(custom_id, temperature) -> the tokens and the text of the answer."""
    gate = asyncio.Semaphore(in_flight)
    settings = {"timing": harness.PATIENT, "timeout": 900}
    async with sluice.AsyncClient(endpoint, **settings) as client:

        async def ask(index, row, temperature):
            async with gate:
                answer = await client.generate(
                    row["prompt"],
                    temperature=temperature,
                    seed=1000 + index,
                    max_tokens=200,
                )
            key = (row["custom_id"], temperature)
            return key, (answer.tokens, answer.text)

        work = [
            ask(index, row, temperature)
            for index, row in enumerate(rows)
            for temperature in TEMPERATURES
        ]
        return dict(await asyncio.gather(*work))


def answers_of(model, rows, batch, chunk, threads):
    options = {
        "scheduling.max_sequences": batch,
        "scheduling.step_tokens": max(chunk, batch),
        "executor.threads": threads,
    }
    with harness.Daemon(model, options=options) as daemon:
        return asyncio.run(ask_all(daemon.endpoint, rows, 2 * batch))


def digest(answers):
    return hashlib.sha256(repr(sorted(answers.items())).encode()).hexdigest()


def compare(model, rows, settings):
    """Runs every setting; the number of answers that differ from the first's,
    a setting."""
    first = None
    differing = {}
    for batch, chunk, threads in settings:
        answers = answers_of(model, rows, batch, chunk, threads)
        first = first or answers
        wrong = [key for key in first if answers[key] != first[key]]
        differing[(batch, chunk, threads)] = len(wrong)
        print(
            f"batch {batch:3} chunk {chunk:3} threads {threads}: "
            f"{len(answers)} answers, {len(wrong)} differ, "
            f"sha256 {digest(answers)[:16]}",
            flush=True,
        )
    return differing


def numbers(text):
    return [int(part) for part in text.split(",")]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default=harness.PEBBLE)
    parser.add_argument("--rows", type=int, help="default: all")
    parser.add_argument("--batches", type=numbers, default=[1, 4, 16])
    parser.add_argument("--chunks", type=numbers, default=[8, 64, 512])
    parser.add_argument("--threads", type=numbers, default=[1, 2])
    options = parser.parse_args()
    settings = itertools.product(
        options.batches, options.chunks, options.threads
    )
    rows = harness.records(options.rows)
    return 1 if any(compare(options.model, rows, settings).values()) else 0


if __name__ == "__main__":
    sys.exit(main())
