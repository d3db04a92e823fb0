#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The output contract under random schedules: every answer is the same bytes as
the request's that ran alone, whatever the pool, the cache, swapping, the chunks,
the order of arrival and who is cancelled.

    schedules.py [--model DIR] [--seconds 60 | --requests N] [--seed S]

First every request of a random set runs alone, on a daemon without cache or
shortage of pages, once for each type of KV. Then daemons of random settings get
random parts of the set, in random order; some requests are cancelled, and what
came before that must be how the answer begins. Prints one line a schedule, what
their pools went through, and exits 1 if any answer differs.
"""

import argparse
import asyncio
import collections
import contextlib
import dataclasses
import random
import sys
import time

import harness
import sluice

KV_TYPES = ("f16", "i8", "fp8")
HAPPENED = {
    "preempted": "sluice_preemptions_total",
    "swapped": "sluice_kv_swapped_out_pages_total",
    "hit tokens": "sluice_prefix_hit_tokens_total",
    "copies": "sluice_kv_copies_total",
    "evicted": "sluice_kv_evictions_total",
}


@dataclasses.dataclass(frozen=True)
class Ask:
    """A request of the set."""

    prompt: str
    tenant: str
    settings: tuple

    def options(self):
        return dict(self.settings)

    def answers_at_end(self):
        options = self.options()
        return "beams" in options or "best_of" in options


def settings_of_choice(dice):
    """A few answers of more: with beams, or drawn."""
    if dice.random() < 0.5:
        best_of = dice.choice((2, 3, 5))
        return {
            "temperature": dice.choice((0.8, 1.5)),
            "best_of": best_of,
            "n": dice.randint(1, best_of - 1),
        }
    beams = dice.choice((1, 2, 3, 4, 6))
    return {
        "temperature": 1.0,
        "beams": beams,
        "n": dice.randint(1, beams),
        "length_penalty": dice.choice((0.0, 1.0, 1.0, 2.0)),
        "early_stopping": dice.choice(("heuristic", "first", "never")),
        "min_tokens": dice.choice((0, 0, 5)),
    }


def make_set(dice, count):
    """Requests that have beginnings in common, of every length and sampling."""
    rows = harness.records()
    heads = ["".join(dice.sample([r["prompt"] for r in rows], 2)) for _ in "abc"]
    asks = []
    for number in range(count):
        head = dice.choice(heads + ["", ""])
        text = head + dice.choice(rows)["prompt"]
        text = text[: dice.choice((len(text), dice.randint(1, len(text))))]
        settings = {
            "temperature": dice.choice((0.0, 0.8, 1.5)),
            "seed": number,
            "max_tokens": dice.choice((1, 20, 60, 150)),
            "ignore_eos": dice.random() < 0.6,
            "n": dice.choice((1, 1, 1, 2, 4)),
        }
        if dice.random() < 0.3:
            settings.update(settings_of_choice(dice))
            settings["max_tokens"] = dice.choice((5, 20, 40, 60))
        if dice.random() < 0.3:
            settings.update(want_logprobs=True, logprobs=2)
            if "beams" not in settings:
                settings.update(
                    top_k=20, repetition_penalty=1.2, frequency_penalty=0.3
                )
        if dice.random() < 0.15:
            settings["prompt_logprobs"] = 1
        if dice.random() < 0.1:
            settings["stop"] = ('"date"',)
        if dice.random() < 0.2:
            settings["priority"] = dice.choice((-1, 1))
        tenant = dice.choice(("", "a", "b"))
        asks.append(Ask(text, tenant, tuple(sorted(settings.items()))))
    return asks


async def run_ask(clients, ask, cancel_after=None):
    """(sequence -> [tokens, text, log-probabilities, end], prompt's scores).

    Cancels after so many tokens; answers that come at the end after so many
    hundredths of a second."""
    client = clients[ask.tenant]
    found = collections.defaultdict(lambda: [[], "", [], None])
    scores = []
    stream = client.stream(ask.prompt, **ask.options())
    seen = 0
    if cancel_after is not None and ask.answers_at_end():
        asyncio.create_task(cancel_later(client, stream, cancel_after / 100))
        cancel_after = None
    async for event in stream:
        if isinstance(event, sluice.Delta):
            of = found[event.sequence]
            of[0] += event.tokens
            of[1] += event.text
            of[2] += [(e.token, e.logprob, e.raw_logprob) for e in event.logprobs]
            scores += [(s.index, s.token, s.logprob, s.rank) for s in event.prompt]
            seen += len(event.tokens)
        elif isinstance(event, sluice.SequenceEnd):
            found[event.sequence][3] = (event.reason, event.stop, event.score)
        elif isinstance(event, sluice.Finished):
            return dict(found), scores
        if cancel_after is not None and seen >= cancel_after:
            await client.cancel(stream.request_id)
            cancel_after = None
    raise AssertionError("the stream ended without a last chunk")


async def cancel_later(client, stream, pause):
    await asyncio.sleep(pause)
    with contextlib.suppress(sluice.SluiceError):
        await client.cancel(stream.request_id)


async def run_all(endpoint, asks, in_flight, cancels):
    settings = {"timing": harness.PATIENT, "timeout": 900}
    clients = {
        tenant: sluice.AsyncClient(endpoint, tenant=tenant, **settings)
        for tenant in ("", "a", "b")
    }
    gate = asyncio.Semaphore(in_flight)

    async def one(ask):
        async with gate:
            try:
                return await run_ask(clients, ask, cancels.get(ask))
            except sluice.Rejected as refusal:
                if refusal.code != "never_fits":
                    raise
                return None

    try:
        return await asyncio.gather(*map(one, asks))
    finally:
        for client in clients.values():
            await client.close()


def begins(part, whole):
    """Whether a cancelled answer is how the whole one begins."""
    found, scores = part
    expected, all_scores = whole
    if scores != all_scores[: len(scores)]:
        return False
    for sequence, (tokens, text, odds, _) in found.items():
        all_tokens, all_text, all_odds, _ = expected[sequence]
        if tokens != all_tokens[: len(tokens)]:
            return False
        if odds != all_odds[: len(odds)] or not all_text.startswith(text):
            return False
    return True


def alone(model, asks):
    """What every request gives by itself."""
    answers = {}
    for kv_type in KV_TYPES:
        options = {
            "memory.kv_type": kv_type,
            "memory.prefix_cache": "false",
            "scheduling.reserve": "full",
            "scheduling.max_sequences": 8,
        }
        with harness.Daemon(model, options=options) as daemon:
            found = asyncio.run(run_all(daemon.endpoint, asks, 1, {}))
        answers[kv_type] = dict(zip(asks, found))
    return answers


def kv_bytes_of_a_token(model):
    """{KV type: bytes}, as the number of pages of a small pool tells."""
    bytes_of = {}
    for kv_type in KV_TYPES:
        size, page = 4 << 20, 8
        options = {
            "memory.kv_type": kv_type,
            "memory.kv_bytes": size,
            "memory.page_tokens": page,
        }
        with harness.Daemon(model, options=options) as daemon:
            with daemon.client() as client:
                pages = client.models()[0].kv_pages
        bytes_of[kv_type] = size // (pages * page)
    return bytes_of


def random_options(dice, token_bytes):
    kv_type = dice.choice(KV_TYPES)
    page_tokens = dice.choice((8, 16, 32))
    # In the smallest a few requests fit; the largest have no room at all.
    positions = dice.choice((400, 500, 700, 1000, 4000))
    return {
        "memory.kv_type": kv_type,
        "memory.page_tokens": page_tokens,
        "memory.kv_bytes": positions * token_bytes[kv_type],
        "memory.prefix_cache": dice.choice(("true", "true", "false")),
        "memory.swap_bytes": dice.choice((0, 100_000, 10_000_000)),
        "memory.pinned_share": 0,
        "scheduling.reserve": dice.choice(("prompt", "prompt", "prompt", "full")),
        "scheduling.max_sequences": dice.choice((4, 8, 32, 64)),
        "scheduling.step_tokens": dice.choice((16, 33, 64, 512)),
        "scheduling.pipeline_depth": dice.choice((1, 2, 2, 4)),
        "executor.threads": dice.choice((1, 2)),
    }


def run_schedule(model, dice, asks, expected, token_bytes):
    """Runs one; (settings, answers, what differs, what the pool went
    through)."""
    options = random_options(dice, token_bytes)
    part = dice.sample(asks, dice.randint(len(asks) // 3, len(asks)))
    cancels = {
        ask: dice.randint(0, 30)
        for ask in part
        # What looks like the beginning of a stop string is held back, and
        # comes out when the request is cancelled.
        if dice.random() < 0.15 and "stop" not in ask.options()
    }
    with harness.Daemon(model, options=options) as daemon:
        in_flight = dice.choice((8, 32, 128))
        try:
            work = run_all(daemon.endpoint, part, in_flight, cancels)
            found = asyncio.run(work)
        except Exception:
            print(f"{options}\n{daemon.log_text()}", flush=True)
            raise
        with daemon.client() as client:
            free = lambda: harness.all_pages_are_free(client)  # noqa: E731
            harness.wait_until(free, 60, "every KV page is free")
            stats = client.stats()
    whole = expected[options["memory.kv_type"]]
    wrong = [
        (ask, answer)
        for ask, answer in zip(part, found)
        if answer
        and not (
            begins(answer, whole[ask])
            if ask in cancels
            else answer == whole[ask]
        )
    ]
    went = {k: int(harness.series(stats, v)) for k, v in HAPPENED.items()}
    return options, sum(map(bool, found)), wrong, went


def run(model, seed, seconds=None, requests=None, count=60, report=print):
    """Runs schedules until time or requests are up.

    Returns the schedules, the requests, those that differed, and what the pools
    went through, all in all.
    """
    dice = random.Random(seed)
    asks = make_set(dice, count)
    expected = alone(model, asks)
    token_bytes = kv_bytes_of_a_token(model)
    totals = collections.Counter()
    end = time.monotonic() + (seconds or 1e9)
    schedules = ran = 0
    differing = []
    while time.monotonic() < end and ran < (requests or 1e9):
        options, size, wrong, went = run_schedule(
            model, dice, asks, expected, token_bytes
        )
        schedules += 1
        ran += size
        differing += wrong
        totals.update(went)
        short = " ".join(f"{k.split('.')[1]}={v}" for k, v in options.items())
        report(
            f"{schedules:4}: {size:3} requests, {len(wrong)} differ; "
            + ", ".join(f"{v} {k}" for k, v in went.items())
            + f"  [{short}]",
            flush=True,
        )
        for ask, answer in wrong[:2]:
            report(f"  {ask}\n  got  {answer}", flush=True)
            report(f"  want {expected[options['memory.kv_type']][ask]}")
    return schedules, ran, differing, dict(totals)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default=harness.PEBBLE)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--requests", type=int)
    parser.add_argument("--set", type=int, default=60, help="requests to draw on")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if not options.requests and not options.seconds:
        options.seconds = 60
    schedules, ran, differing, totals = run(
        options.model,
        options.seed,
        options.seconds,
        options.requests,
        options.set,
    )
    print(
        f"{schedules} schedules, {ran} requests, {len(differing)} differ; "
        + ", ".join(f"{v} {k}" for k, v in totals.items())
    )
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
