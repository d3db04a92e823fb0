#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Mutated control frames sent to a living daemon: it must go on answering,
with its memory and its pages as before.

    mutated_frames.py [--frames 1000000] [--seed 1] [--model DIR]
"""

import argparse
import random
import sys

import harness
import sluice
import zmq
from sluice import control, frames
from sluice.messages.Credit import CreditT
from sluice.messages.Lease import LeaseT

MOST_GROWTH = 16 << 20
A_ROUND = 2000  # frames between two questions to the daemon
EDGES = (0, 1, 4, 0xFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFC)


def samples():
    """One frame of each type that clients send."""
    topic = sluice.new_request_id()
    request = sluice.Request(
        "Say hello.", max_tokens=1, stop=["\n"], logit_bias={3: 1.0}, seed=1
    )
    credit = CreditT()
    credit.id = frames.wire_id(topic)
    return [
        control.hello("mutant"),
        control.cancel(topic, "tenant"),
        control.replay(topic, "", 3),
        control.query(1, 7),
        request.pack("tenant"),
        frames.pack(LeaseT()),
        frames.pack(credit),
    ]


def mutate(frame, chance):
    data = bytearray(frame)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(data)) if data else 0
        kind = chance.randrange(6)
        if kind == 0:
            del data[at:]
        elif kind == 1:
            data += chance.randbytes(chance.randrange(64))
        elif kind == 2:
            data[at & ~3 : (at & ~3) + 4] = chance.choice(EDGES).to_bytes(
                4, "little"
            )
        elif data and (not 4 <= at < 8 or chance.random() < 0.02):
            data[at] ^= 1 << chance.randrange(8)
    return bytes(data)


def send_round(context, endpoint, seeds, count, chance):
    """One client's life: mutated frames, then a good one and its answer. The
    requests that mutation made valid end with the connection."""
    socket = context.socket(zmq.DEALER)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.SNDHWM, 0)
    socket.setsockopt(zmq.RCVHWM, 0)
    socket.connect(endpoint)
    answers = 0
    for _ in range(count):
        socket.send(mutate(chance.choice(seeds), chance))
        while socket.poll(0):
            socket.recv_multipart()
            answers += 1
    correlation = chance.randrange(1, 2**63)
    socket.send(control.query(0, correlation))
    while True:
        if not socket.poll(120_000):
            raise AssertionError("the daemon no longer answers")
        answers += 1
        name, message = frames.parse(socket.recv_multipart()[-1])
        if name == "Health" and message.correlation == correlation:
            break
    socket.close()
    return answers


def run(model, count, seed):
    """Returns (growth of resident memory in bytes, a summary)."""
    chance = random.Random(seed)
    seeds = samples()
    context = zmq.Context()
    with harness.Daemon(model) as daemon:

        def send(number):
            return send_round(
                context, daemon.endpoint, seeds, number, chance
            )

        for _ in range(5):  # so that every pool has its size
            send(A_ROUND)
        before = daemon.resident_bytes()
        sent = answers = 0
        while sent < count:
            number = min(A_ROUND, count - sent)
            answers += send(number)
            sent += number
        growth = daemon.resident_bytes() - before
        with daemon.client() as client:
            free = lambda: harness.all_pages_are_free(client)  # noqa: E731
            harness.wait_until(free, 60, "every KV page is free")
            refused = harness.series(
                client.stats(), "sluice_refused_frames_total"
            )
    context.destroy(linger=0)
    return growth, (
        f"{sent} mutated frames: {answers} answers, {refused:.0f} refused, "
        f"resident memory {growth / 1024:+.0f} KiB, all pages free"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default=harness.PEBBLE)
    parser.add_argument("--frames", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    growth, summary = run(options.model, options.frames, options.seed)
    print(summary)
    return 0 if growth <= MOST_GROWTH else 1


if __name__ == "__main__":
    sys.exit(main())
