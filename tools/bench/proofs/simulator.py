# SPDX-License-Identifier: Apache-2.0
"""The simulator against a real run of the same trace."""

from __future__ import annotations

import argparse
import json
import pathlib
import random
import tempfile
from typing import Any

from comparison.processes import ComparisonError, run

from .daemon import Setup, running
from .outcome import Outcome, say

MODEL = "llama-160m:32768"
LIMIT = 3600.0  # seconds that a program may take
METRICS = ("request_throughput", "output_throughput", "mean_ttft_ms",
           "median_ttft_ms", "p99_ttft_ms", "mean_itl_ms", "median_itl_ms",
           "p99_itl_ms", "mean_e2el_ms", "p99_e2el_ms")
# Prompt tokens and sequences: rows show in the short ones, attention in the
# long ones. The first is not counted: it wakes the machine.
BENCHES = ((16, "1,2"), (16, "1,2,4,8,16,32,64"), (512, "1,4,16"),
           (2048, "1,4"))
BENCH_TOKENS = 16


def add_options(add: Any) -> None:
    add("--requests", type=int, default=15, help="of a run; default 15")
    add("--loads", default="0.6",
        help="parts of what the machine can serve, as in 0.5,0.7,0.85")
    add("--input-len", type=int, default=128, help="mean; default 128")
    add("--output-len", type=int, default=32, help="mean; default 32")
    add("--seed", type=int, default=1)


LONG = {"requests": 150, "loads": "0.5,0.7,0.85", "input_len": 256,
        "output_len": 64}


def make_trace(options: argparse.Namespace, rate: float) -> str:
    """Poisson arrivals, log-normal lengths; rate 0: all at once."""
    source = random.Random(options.seed)
    at, lines = 0.0, []
    for _ in range(options.requests):
        at += source.expovariate(1)
        lengths = [max(1, int(source.lognormvariate(-0.125, 0.5) * mean))
                   for mean in (options.input_len, options.output_len)]
        lines.append(json.dumps(
            {"timestamp": at / rate * 1e3 if rate else 0,
             "input_length": lengths[0], "output_length": lengths[1]}) + "\n")
    return "".join(lines)


def load_json(setup: Setup, command: list[Any]) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(
        run([str(part) for part in command], setup.cores, LIMIT).stdout)
    return result


def measure_costs(setup: Setup, context: int,
                  folder: pathlib.Path) -> list[pathlib.Path]:
    """Files in a new folder, for `sluice-simulate --bench`."""
    folder.mkdir()
    files = []
    for prompt, batches in BENCHES:
        prompt = min(prompt, context - BENCH_TOKENS)
        say(f"costs: prompts of {prompt} tokens")
        report = load_json(setup, [
            setup.sluice, "bench", "batch", "--model", setup.model, "-t",
            setup.threads, "--pp", prompt, "--tg", BENCH_TOKENS, "--b",
            batches, "--repeat", 3, "--json"])
        files.append(folder / f"costs-{len(files)}.json")
        files[-1].write_text(json.dumps(report), encoding="utf-8")
    return files[1:]


class Trial:
    """One daemon, and a simulator that was told the same."""

    def __init__(self, setup: Setup, daemon: Any,
                 folder: pathlib.Path) -> None:
        self._setup = setup
        self._daemon = daemon
        self._folder = folder
        self._trace = folder / "trace.jsonl"
        self._costs: list[list[pathlib.Path]] = []
        model = daemon.model()
        self._context = model.context_tokens
        self._lane = ["--context", model.context_tokens, "--kv-pages",
                      model.kv_pages, "--page-tokens", model.page_tokens]

    def write(self, trace: str) -> None:
        self._trace.write_text(trace, encoding="utf-8")

    def measure_costs(self) -> None:
        folder = self._folder / f"costs-{len(self._costs)}"
        self._costs.append(measure_costs(self._setup, self._context, folder))

    def predicted(self) -> dict[str, Any]:
        """By what was measured before and after the run: machines drift."""
        costs = sum(self._costs[-2:], [])
        simulate = self._setup.sluice.with_name("sluice-simulate")
        return load_json(self._setup, [
            simulate, "--bench", *costs, "--trace", self._trace,
            *self._lane, "--json"])

    def measured(self) -> dict[str, Any]:
        report = load_json(self._setup, [
            self._setup.sluice, "bench", "serve", "--endpoint",
            self._daemon.endpoint, "--trace", self._trace, "--warmups", 4,
            "--json"])
        if report["failed"]:
            raise ComparisonError(f"{report['failed']} requests failed")
        return report


def prove(setup: Setup, options: argparse.Namespace) -> Outcome:
    """TTFT, ITL and throughput, predicted and measured."""
    found = Outcome()
    loads = [float(load) for load in options.loads.split(",")]
    with tempfile.TemporaryDirectory(prefix="sluice-proof-") as name:
        with running(setup) as daemon:
            trial = Trial(setup, daemon, pathlib.Path(name))
            trial.write(make_trace(options, 0))
            trial.measure_costs()
            capacity = trial.predicted()["request_throughput"]
            found.notes.append(
                f"predicted capacity: {capacity:.3g} requests/s")
            for load in loads:
                say(f"{options.requests} requests at {load:g} of it")
                trial.write(make_trace(options, load * capacity))
                measured = trial.measured()
                trial.measure_costs()
                compare(found, load, trial.predicted(), measured)
    return found


def compare(found: Outcome, load: float, predicted: dict[str, Any],
            measured: dict[str, Any]) -> None:
    found.require(predicted["completed"] == measured["completed"],
                  f"the simulator completed {predicted['completed']} requests"
                  f" and the daemon {measured['completed']}")
    worst = 0.0
    for name in METRICS:
        there, here = predicted[name], measured[name]
        error = (there / here - 1) * 100 if here else None
        worst = max(worst, abs(error or 0))
        found.rows.append({"load": load, "metric": name, "predicted": there,
                           "measured": here, "error %": error})
    found.notes.append(f"load {load:g}: worst error {worst:.0f} %")
