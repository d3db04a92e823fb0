#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Starts a daemon and streams answers to a few messy records.

What the quick start runs: a daemon of its own in a temporary folder, the
Python client, tokens to the terminal as they come, every answer compared with
the one that is expected.
"""

import argparse
import contextlib
import json
import pathlib
import subprocess
import sys
import tempfile

import sluice


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--daemon", required=True, help="path of sluiced")
    parser.add_argument("--model", required=True, help="model folder or file")
    parser.add_argument("--records", required=True, help="records.jsonl")
    parser.add_argument("--count", type=int, default=5, help="records to run")
    return parser.parse_args()


@contextlib.contextmanager
def daemon(program, model):
    """A daemon that serves `model` until the block ends; gives its endpoint."""
    with tempfile.TemporaryDirectory(prefix="sluice-") as folder:
        control = f"ipc://{folder}/control"
        process = subprocess.Popen(
            [program, "--model.path", model, "--log.level", "warn",
             "--daemon.control_endpoint", control,
             "--daemon.stream_endpoint", f"ipc://{folder}/stream"])
        try:
            yield control
        finally:
            process.terminate()
            process.wait(timeout=60)


def stream_answer(client, prompt):
    """Prints the answer as it arrives and returns it whole."""
    text = ""
    for event in client.stream(prompt, temperature=0, max_tokens=200):
        sys.stdout.write(event.text)
        sys.stdout.flush()
        text += event.text
    return text


def main():
    options = arguments()
    lines = pathlib.Path(options.records).read_text().splitlines()
    records = [json.loads(line) for line in lines[: options.count]]
    right = 0
    with daemon(options.daemon, options.model) as endpoint:
        with sluice.Client(endpoint, timeout=60) as client:
            for record in records:
                print(f"\n> {record['prompt'].splitlines()[0]}")
                text = stream_answer(client, record["prompt"])
                same = text.strip() == record["answer"]
                right += same
                print("  [as expected]" if same
                      else f"  [expected {record['answer']}]")
    print(f"\n{right} of {len(records)} records answered exactly as expected.")
    return 0 if right > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
