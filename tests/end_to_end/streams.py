#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Many streams whose subscribers are killed and paused at random: each must be
put together again to what an undisturbed client reads.

    streams.py [--streams 200] [--workers 8] [--seed 1] [--model DIR]
"""

import argparse
import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time

import harness
import sluice

WORKER = os.path.join(os.path.dirname(__file__), "stream_worker.py")


def make_requests(count):
    rows = harness.records()
    return [
        {
            "prompt": rows[i % len(rows)]["prompt"],
            "temperature": 0.8,
            "seed": i,
            "max_tokens": 150,
            "ignore_eos": True,
            "on_disconnect": "continue_running",
            "keep_for": 600,
            "request_id": sluice.new_request_id(),
        }
        for i in range(count)
    ]


async def undisturbed(endpoint, requests):
    """request_id -> text, from other requests of the same content."""
    settings = {"timing": harness.PATIENT, "timeout": 900}
    async with sluice.AsyncClient(endpoint, **settings) as client:

        async def ask(fields):
            fresh = {**fields, "request_id": sluice.new_request_id()}
            answer = await client.generate(sluice.Request(**fresh))
            return fields["request_id"], answer.text

        return dict(await asyncio.gather(*map(ask, requests)))


class Subscriber:
    """A worker process, started again until its streams have ended."""

    def __init__(self, endpoint, requests, folder):
        self._endpoint = endpoint
        self._requests = requests
        self._file = tempfile.NamedTemporaryFile(dir=folder, delete=False)
        self.kills = 0
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [sys.executable, WORKER, self._endpoint],
            stdin=subprocess.PIPE,
            stdout=self._file,
            env=harness.python_environment(),
            preexec_fn=harness.die_with_parent,
        )
        lines = "".join(json.dumps(r) + "\n" for r in self._requests)
        self.process.stdin.write(lines.encode())
        self.process.stdin.close()

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.kills += 1
        self.start()

    def pause(self, seconds):
        self.process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        self.process.send_signal(signal.SIGCONT)

    def results(self):
        """Every line that a worker got out whole."""
        with open(self._file.name, encoding="utf-8") as lines:
            for line in lines:
                if line.endswith("}\n"):
                    yield json.loads(line)


def disturb(subscribers, chance, most_kills):
    """Kills and pauses until all have ended."""
    pauses = 0
    while True:
        running = [s for s in subscribers if s.process.poll() is None]
        if not running:
            return pauses
        victim = chance.choice(running)
        if chance.random() < 0.3 and victim.kills < most_kills:
            victim.kill()
        elif chance.random() < 0.5:
            victim.pause(chance.uniform(0.05, 1.0))
            pauses += 1
        time.sleep(chance.uniform(0.05, 0.5))


def run(model, count, workers, seed):
    """Returns (differing ids, streams without exactly one end, a summary)."""
    requests = make_requests(count)
    with harness.Daemon(model) as daemon, tempfile.TemporaryDirectory() as room:
        shares = [requests[i::workers] for i in range(workers)]
        subscribers = [Subscriber(daemon.endpoint, s, room) for s in shares]
        pauses = disturb(subscribers, random.Random(seed), most_kills=3)
        seen = {}
        for subscriber in subscribers:
            for line in subscriber.results():
                seen.setdefault(line["id"], []).append(line)
        expected = asyncio.run(undisturbed(daemon.endpoint, requests))
        with daemon.client() as client:
            free = lambda: harness.all_pages_are_free(client)  # noqa: E731
            harness.wait_until(free, 60, "every KV page is free")
            late = harness.series(client.stats(), "sluice_late_terminals_total")
    differing = [
        i
        for i, text in expected.items()
        if not seen.get(i) or any(line["text"] != text for line in seen[i])
    ]
    ends = [
        i
        for i in expected
        if any(line["terminals"] != 1 for line in seen.get(i, [{"terminals": 0}]))
    ]
    kills = sum(s.kills for s in subscribers)
    summary = (
        f"{count} streams, {workers} subscribers, {kills} killed, {pauses} "
        f"paused: {len(differing)} differ, {len(ends)} without exactly one "
        f"end, {late:.0f} second ends, all pages free"
    )
    return differing, ends, summary


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default=harness.PEBBLE)
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    differing, ends, summary = run(
        options.model, options.streams, options.workers, options.seed
    )
    print(summary)
    return 1 if differing or ends else 0


if __name__ == "__main__":
    sys.exit(main())
