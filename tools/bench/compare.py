#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares sluice with a llama.cpp-like peer on the same model file.

Both run on the same cores, with one thread on each, one after the other and
again; medians and their ratios are printed. docs/benchmarks.md explains the
cells.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import signal
import sys
from collections.abc import Callable

from comparison import cells, ours, peer, servers
from comparison.processes import (ComparisonError, Cores, first_cores, program)
from comparison.streams import Work

Measure = Callable[[], dict[str, float]]


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add = parser.add_argument
    add("--sluice", required=True, help="our program; sluiced beside it")
    add("--model", required=True, help="a .gguf file that both can read")
    add("--bench", help="the peer's llama-bench")
    add("--batched-bench", help="the peer's llama-batched-bench")
    add("--serve", metavar="LLAMA_SERVER", help="the peer's HTTP server:\n"
        "compare both as servers instead")
    add("--rounds", type=int, default=5, help="runs of each; default 5")
    add("-t", "--threads", type=int, default=0, help="default: all CPUs")
    add("--cells", default="pp512,tg128",
        help="of llama-bench; default pp512,tg128")
    add("--batches", default="1,2,4,8,16,32,64",
        help="of llama-batched-bench; default 1,2,4,8,16,32,64")
    add("--rtr", action="store_const", const=["-rtr"], default=[],
        help="let the peer repack weights when it loads")
    add("--peer-flag", action="append", default=[], metavar="FLAG",
        help="passed to the peer's programs; may be repeated")
    add("--sluiced-flag", action="append", default=[], metavar="FLAG",
        help="passed to sluiced; may be repeated")
    add("--clients", type=int, default=32, help="of --serve; default 32")
    add("--requests", type=int, default=64, help="of --serve; default 64")
    add("--input-len", type=int, default=128, help="of --serve; default 128")
    add("--output-len", type=int, default=64, help="of --serve; default 64")
    add("--vocabulary", type=int, default=32000,
        help="of the model, for random prompts; default 32000")
    add("--keep", metavar="FILE.jsonl", help="adds each run to this file, and\n"
        "counts those in it already: rounds of several calls add up")
    add("--json", action="store_true", help="print a JSON object")
    return parser.parse_args(argv)


def chosen_cells(text: str) -> list[str]:
    names = [name for name in text.split(",") if name]
    for name in names:
        if name not in (cells.PROMPT, cells.DECODE):
            raise ComparisonError(f"--cells '{name}' is neither "
                                  f"{cells.PROMPT} nor {cells.DECODE}")
    return names


def chosen_batches(text: str) -> list[int]:
    try:
        batches = [int(number) for number in text.split(",") if number]
    except ValueError:
        batches = [0]
    if any(batch < 1 for batch in batches):
        raise ComparisonError(f"--batches '{text}' is no list as in 1,8,32")
    return batches


def bench_sides(options: argparse.Namespace,
                cores: Cores) -> dict[str, Measure]:
    """What a run of each side is, with the benchmark programs."""
    names = chosen_cells(options.cells) if options.bench else []
    batches = chosen_batches(options.batches) if options.batched_bench else []
    if not names and not batches:
        raise ComparisonError(
            "nothing to compare: give --bench, --batched-bench or --serve")
    there = peer.Peer(
        program(options.bench) if options.bench else None,
        program(options.batched_bench) if options.batched_bench else None,
        (*options.rtr, *options.peer_flag))
    sluice = program(options.sluice)
    return {"peer": lambda: peer.measure(there, options.model, cores, names,
                                         batches),
            "ours": lambda: ours.measure(sluice, options.model, cores, names,
                                         batches)}


def serve_sides(options: argparse.Namespace,
                cores: Cores) -> dict[str, Measure]:
    """What a run of each side is, as servers."""
    server, sluice = program(options.serve), program(options.sluice)
    program(str(sluice.with_name("sluiced")))
    prompts = servers.make_prompts(options.requests, options.input_len,
                                   options.vocabulary)
    work = Work(prompts, options.output_len, options.clients)
    flags = [*options.rtr, *options.peer_flag]
    return {"peer": lambda: servers.measure_peer(server, options.model, cores,
                                                 work, flags),
            "ours": lambda: servers.measure_ours(
                sluice, options.model, cores, work, options.sluiced_flag)}


def read_kept(path: pathlib.Path, table: cells.Table) -> None:
    """Runs of earlier calls."""
    if not path.exists():
        return
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        try:
            entry = json.loads(line)
            table.add(entry["side"], entry["speeds"])
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ComparisonError(f"{path}:{number}: not a run") from None


def keep(path: pathlib.Path, side: str, speeds: cells.Speeds) -> None:
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps({"side": side, "speeds": speeds}) + "\n")


def compare(options: argparse.Namespace, cores: Cores) -> cells.Table:
    """Alternates the two; who begins alternates, too."""
    sides = (serve_sides if options.serve else bench_sides)(options, cores)
    table = cells.Table()
    kept = pathlib.Path(options.keep) if options.keep else None
    if kept:
        read_kept(kept, table)
    for number in range(options.rounds):
        for side in sorted(sides, reverse=number % 2 == 0):
            print(f"round {number + 1} of {options.rounds}: {side}",
                  file=sys.stderr)
            speeds = sides[side]()
            table.add(side, speeds)
            if kept:
                keep(kept, side, speeds)
    return table


def main() -> int:
    options = parse_arguments()
    # As an exception, so that what was started is stopped on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        if not pathlib.Path(options.model).is_file():
            raise ComparisonError(f"{options.model}: there is no such model")
        options.model = str(pathlib.Path(options.model).resolve())
        cores = first_cores(options.threads)
        table = compare(options, cores)
    except ComparisonError as error:
        print(f"compare: {error}", file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps({"model": options.model, "cpus": cores.cpus,
                          "rows": table.as_json()}))
    else:
        unit = "(median)" if options.serve else "tokens/s"
        print(cells.for_people(table.rows(), unit))
    return 0


if __name__ == "__main__":
    sys.exit(main())
