#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How many held-out records a model answers exactly, through a daemon and
several Python client processes at once.

    accuracy.py --model tests/models/pebble --clients 16 [--rows N] [--json]
                [--weight-type TYPE]
"""

import argparse
import json
import multiprocessing
import sys
import time

import harness
import sluice


def answer_rows(endpoint, rows):
    """One client process: its rows, one after the other."""
    answers = {}
    settings = {"timing": harness.PATIENT, "timeout": 600}
    with sluice.Client(endpoint, **settings) as client:
        for row in rows:
            text = client.generate(
                row["prompt"], temperature=0, max_tokens=200
            ).text
            answers[row["custom_id"]] = text.strip()
    return answers


def answer_all(endpoint, rows, clients):
    """Answers by custom_id, from `clients` processes at once."""
    shares = [(endpoint, rows[i::clients]) for i in range(clients)]
    with multiprocessing.get_context("spawn").Pool(clients) as pool:
        answers = {}
        for share in pool.starmap(answer_rows, shares):
            answers.update(share)
    return answers


def measure(model, clients, count, weight_type=""):
    """{model, rows, clients, exact, accuracy, seconds, wrong}."""
    rows = harness.records(count)
    options = {"model.weight_type": weight_type} if weight_type else {}
    with harness.Daemon(model, options=options) as daemon:
        began = time.monotonic()
        answers = answer_all(daemon.endpoint, rows, clients)
        seconds = time.monotonic() - began
    wrong = [r for r in rows if answers[r["custom_id"]] != r["answer"]]
    return {
        "model": str(model),
        "rows": len(rows),
        "clients": clients,
        "exact": len(rows) - len(wrong),
        "accuracy": (len(rows) - len(wrong)) / len(rows),
        "seconds": round(seconds, 1),
        "wrong": [row["custom_id"] for row in wrong],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default=harness.PEBBLE)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--rows", type=int, help="default: all")
    parser.add_argument("--at-least", type=float, default=0.0)
    parser.add_argument("--weight-type", default="", help="default: as stored")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result = measure(
        options.model, options.clients, options.rows, options.weight_type
    )
    if options.json:
        print(json.dumps(result))
    else:
        print(
            f"{result['model']}: {result['exact']} of {result['rows']} exact "
            f"({100 * result['accuracy']:.1f} %), {result['clients']} clients,"
            f" {result['seconds']} s"
        )
    return 0 if result["accuracy"] >= options.at_least else 1


if __name__ == "__main__":
    sys.exit(main())
