#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a type of the KV cache costs in conversations that fill the context.

    kv_quality.py [--model DIR] [--records 500] [--types f16,bf16,i8,fp8] [--json]

pebble-turns answers record after record in one context. Conversations run turn
by turn on what the model itself said before, with the prefix cache on; right is
who says exactly what is in records.jsonl. Then the same conversations with right answers
are scored: each type's log-probabilities of the answers' tokens beside those of
an f32 cache.
"""

import argparse
import asyncio
import json
import math
import sys

import harness
import sluice

MODEL = harness.MODELS / "pebble-turns"
REFERENCE = "f32"
CONTEXT = 512
MARGIN = 40  # answers may be longer than the right ones
BOS, EOS = 0, 1
IN_FLIGHT = 16


def ids_of(client, text):
    score = client.score(text, prompt_logprobs=1)
    return [token.token for token in score.per_token]


def conversations(client, count):
    """[[(prompt ids, answer ids, answer)]], of `count` records."""
    talks, length = [[]], 0
    for record in harness.records(count):
        prompt, answer = (ids_of(client, record[k]) for k in ("prompt", "answer"))
        size = len(prompt) + len(answer) + 2
        if length + size + MARGIN > CONTEXT:
            talks.append([])
            length = 0
        talks[-1].append((prompt, answer, record["answer"]))
        length += size
    return talks


async def talk(client, turns):
    """[(turn, right, cached tokens)], each turn after the model's own."""
    found, context = [], []
    for turn, (prompt, _, answer) in enumerate(turns):
        context += [BOS, *prompt]
        made = await client.generate(
            prompt_tokens=tuple(context), temperature=0, max_tokens=90
        )
        tokens = [t for t in made.tokens if t != EOS]
        found.append((turn, made.text == answer, made.receipt.cached_tokens))
        context += [*tokens, EOS]
    return found


async def read(client, turns):
    """[(log-probability, likeliest token)] of the answers' tokens."""
    ids, counted = [], set()
    for prompt, answer, _ in turns:
        ids += [BOS, *prompt]
        counted |= set(range(len(ids), len(ids) + len(answer) + 1))
        ids += [*answer, EOS]
    score = await client.score(ids, prompt_logprobs=1)
    return [(t.logprob, t.token if t.rank == 1 else t.top[0][0])
            for t in score.per_token if t.index in counted]


async def gathered(endpoint, work, talks):
    gate = asyncio.Semaphore(IN_FLIGHT)
    settings = {"timing": harness.PATIENT, "timeout": 900}
    async with sluice.AsyncClient(endpoint, **settings) as client:

        async def one(turns):
            async with gate:
                return await work(client, turns)

        return sum(await asyncio.gather(*map(one, talks)), [])


def measure(model, kv_type, talks):
    with harness.Daemon(model, options={"memory.kv_type": kv_type}) as daemon:
        return (asyncio.run(gathered(daemon.endpoint, talk, talks)),
                asyncio.run(gathered(daemon.endpoint, read, talks)))


def row_of(kv_type, said, scores, reference):
    off = [abs(a - b) for (a, _), (b, _) in zip(scores, reference)]
    same = sum(a == b for (_, a), (_, b) in zip(scores, reference))
    return {
        "kv": kv_type,
        "right": sum(right for _, right, _ in said),
        "right_after_the_first": sum(r for turn, r, _ in said if turn > 0),
        "after_the_first": sum(turn > 0 for turn, _, _ in said),
        "records": len(said),
        "cached_tokens": sum(cached for _, _, cached in said),
        "perplexity": math.exp(-sum(p for p, _ in scores) / len(scores)),
        "mean_off": sum(off) / len(off),
        "most_off": max(off),
        "top_1_as_reference": same / len(scores),
        "tokens": len(scores),
    }


def run(model=MODEL, records=500, types=("f16", "bf16", "i8", "fp8")):
    """(rows, conversations): one row a type, the f32 reference first."""
    with harness.Daemon(model) as daemon, daemon.client() as client:
        talks = conversations(client, records)
    rows, reference = [], None
    for kv_type in (REFERENCE, *types):
        said, scores = measure(model, kv_type, talks)
        reference = reference or scores
        rows.append(row_of(kv_type, said, scores, reference))
    return rows, talks


def show(row):
    print("| {kv} | {right} of {records} | {right_after_the_first} of "
          "{after_the_first} | {perplexity:.6f} | {mean_off:.2e} "
          "| {most_off:.3f} | {top:.3f} % |".format(
              top=100 * row["top_1_as_reference"], **row))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default=MODEL)
    parser.add_argument("--records", type=int, default=500)
    parser.add_argument("--types", default="f16,bf16,i8,fp8")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows, talks = run(options.model, options.records, options.types.split(","))
    if options.json:
        print(json.dumps(rows))
        return 0
    print("| KV | right | of later turns | perplexity | mean off | most off "
          "| top-1 as f32 |\n|---|---|---|---|---|---|---|")
    for row in rows:
        show(row)
    print(f"{len(talks)} conversations, {rows[0]['tokens']} answer tokens, "
          f"{rows[0]['cached_tokens']} prompt tokens found in the cache")
    return 0


if __name__ == "__main__":
    sys.exit(main())
