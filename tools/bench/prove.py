#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Proofs of what Sluice promises, against daemons that it starts.

Each sub-command prints a table, and exits with 1 if a promise was broken.
Speed and latency are printed, never judged. The defaults take seconds;
--long is the form whose figures docs/benchmarks.md quotes.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import signal
import sys
import tempfile
from types import ModuleType

from comparison.processes import ComparisonError, first_cores, program, run
from proofs import (cancel_storm, fairness, kv_waste, overload, prefix_cache,
                    simulator, step_cost, victim)
from proofs.daemon import Setup
from proofs.outcome import Outcome
import sluice

SYNTH_LIMIT = 600.0  # seconds
ROOT = pathlib.Path(__file__).resolve().parents[2]
PROOFS: dict[str, ModuleType] = {
    "victim": victim,
    "fairness": fairness,
    "overload": overload,
    "cancel-storm": cancel_storm,
    "prefix-cache": prefix_cache,
    "kv-waste": kv_waste,
    "simulator": simulator,
    "step-cost": step_cost,
}


def add_common(parser: argparse.ArgumentParser, model: str) -> None:
    add = parser.add_argument
    add("--sluice", default=str(ROOT / "build/release/tools/sluice"),
        help="our program; sluiced and sluice-simulate beside it")
    add("--model", default=model, help="a path, or a shape that `sluice"
        f" synth` makes up, as in llama-160m:32768;\ndefault: {model}")
    add("-t", "--threads", type=int, default=0,
        help="that compute; default: one less than CPUs, for the clients")
    add("--set", action="append", default=[], metavar="OPTION=VALUE",
        help="any option of sluiced; may be repeated")
    add("--long", action="store_true", help="the long form, for quoting")
    add("--json", action="store_true", help="print a JSON object")


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    commands = parser.add_subparsers(dest="proof", required=True,
                                     metavar="PROOF")
    for name, proof in PROOFS.items():
        text = (proof.__doc__ or "").splitlines()[0]
        command = commands.add_parser(
            name, help=text, description=text,
            formatter_class=argparse.RawTextHelpFormatter)
        add_common(command, proof.MODEL)
        proof.add_options(command.add_argument)
        if "--long" in (argv or sys.argv):
            command.set_defaults(**proof.LONG)
    return parser.parse_args(argv)


def options_of(settings: list[str]) -> dict[str, str]:
    pairs = [setting.partition("=") for setting in settings]
    for name, equals, _ in pairs:
        if not equals:
            raise ComparisonError(f"--set '{name}' is not OPTION=VALUE")
    return {name: value for name, _, value in pairs}


def model_of(name: str, sluice_path: pathlib.Path, folder: str) -> str:
    """A path; what is none is a shape, invented in the folder."""
    if pathlib.Path(name).exists():
        return str(pathlib.Path(name).resolve())
    shape, _, context = name.partition(":")
    if "/" in shape or "." in shape:
        raise ComparisonError(f"{name}: there is no such model")
    path = f"{folder}/{shape}.gguf"
    command = [str(sluice_path), "synth", "--shape", shape, "-o", path]
    run(command + (["--context", context] if context else []),
        first_cores(0), SYNTH_LIMIT)
    return path


def prove(options: argparse.Namespace) -> Outcome:
    path = program(options.sluice)
    program(str(path.with_name("sluiced")))
    threads = options.threads or max(1, first_cores(0).threads - 1)
    with tempfile.TemporaryDirectory(prefix="sluice-proof-") as folder:
        model = model_of(options.model, path, folder)
        setup = Setup(path, model, threads, options_of(options.set))
        found: Outcome = PROOFS[options.proof].prove(setup, options)
        return found


def main() -> int:
    options = parse_arguments()
    # As an exception, so that what was started is stopped on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        found = prove(options)
    except (ComparisonError, sluice.SluiceError) as error:
        print(f"prove: {error}", file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps({"proof": options.proof, **found.as_json()}))
    else:
        print(found.for_people())
    return 1 if found.broken else 0


if __name__ == "__main__":
    sys.exit(main())
