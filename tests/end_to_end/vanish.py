#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 of clients in mid-stream: how long until every KV page is free.

    vanish.py [--clients 50] [--within SECONDS] [--model DIR]
"""

import argparse
import os
import subprocess
import sys
import time

import harness

WORKER = os.path.join(os.path.dirname(__file__), "vanish_worker.py")


def start(endpoint, prompt):
    return subprocess.Popen(
        [sys.executable, WORKER, endpoint, prompt],
        stdout=subprocess.PIPE,
        env=harness.python_environment(),
        preexec_fn=harness.die_with_parent,
    )


def measure(model, count):
    """(seconds until all pages were free, requests that ran when killed)."""
    options = {
        "scheduling.max_sequences": count,
        "limits.requests_per_client": 4,
    }
    prompt = harness.records(1)[0]["prompt"]
    with harness.Daemon(model, options=options) as daemon:
        with daemon.client() as client:
            workers = [start(daemon.endpoint, prompt) for _ in range(count)]
            for worker in workers:
                worker.stdout.readline()
            running = 0
            while running == 0:  # all of them may be between two streams
                running = client.health().running
            for worker in workers:
                worker.kill()
            killed = time.monotonic()
            free = lambda: harness.all_pages_are_free(client)  # noqa: E731
            harness.wait_until(free, 60, "every KV page is free")
            seconds = time.monotonic() - killed
            for worker in workers:
                worker.wait()
                worker.stdout.close()
            return seconds, running


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default=harness.PEBBLE)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--within", type=float, default=60.0)
    options = parser.parse_args()
    seconds, running = measure(options.model, options.clients)
    print(
        f"{options.clients} clients killed with {running} requests running: "
        f"all pages free after {seconds:.2f} s"
    )
    return 0 if seconds <= options.within else 1


if __name__ == "__main__":
    sys.exit(main())
