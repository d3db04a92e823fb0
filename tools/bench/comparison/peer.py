# SPDX-License-Identifier: Apache-2.0
"""The peer's benchmark programs: how they are called, what they print."""

from __future__ import annotations

import json
import pathlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from .cells import (BATCH_DECODE_TOKENS, BATCH_PROMPT_TOKENS, DECODE, PROMPT,
                    Speeds, batch_cell)
from .processes import ComparisonError, Cores, Output, last_lines, run

LIMIT = 900.0  # seconds of one run


@dataclass(frozen=True)
class Peer:
    """What the user gave of the peer."""

    bench: pathlib.Path | None  # llama-bench
    batched_bench: pathlib.Path | None  # llama-batched-bench
    flags: tuple[str, ...]  # passed through, as in -rtr


def parse_bench(text: str) -> Speeds:
    """`llama-bench -o json` -> speeds of its prompt and decode tests."""
    try:
        tests = json.loads(text[text.index("["):])
        return {name_of_test(test): float(test["avg_ts"]) for test in tests}
    except (ValueError, KeyError, TypeError):
        raise ComparisonError("llama-bench: cannot read its output: "
                              + last_lines(text)) from None


def name_of_test(test: dict[str, object]) -> str:
    """'pp512' or 'tg128'"""
    if test["n_gen"] == 0:
        return f"pp{test['n_prompt']}"
    return f"tg{test['n_gen']}"


BATCH_ROW = re.compile(
    r"^\|\s*(\d+) \|\s*(\d+) \|\s*(\d+) \|\s*\d+ \|(?:\s*[\d.]+ \|){3}"
    r"\s*([\d.]+) \|")


def parse_batched(output: Output, batches: Sequence[int]) -> Speeds:
    """The table of llama-batched-bench -> decode speeds by batch.

    Some versions print it to stdout, some to stderr.
    """
    speeds = {}
    for line in (output.stdout + "\n" + output.stderr).splitlines():
        if match := BATCH_ROW.match(line.strip()):
            speeds[batch_cell(int(match[3]))] = float(match[4])
    missing = [b for b in batches if batch_cell(b) not in speeds]
    if missing:
        raise ComparisonError(
            f"llama-batched-bench: no row for batch {missing[0]}: "
            + last_lines(output.stderr or output.stdout))
    return speeds


def bench_command(peer: Peer, model: str, cores: Cores,
                  cells: Sequence[str]) -> list[str]:
    prompt = 512 if PROMPT in cells else 0
    decode = 128 if DECODE in cells else 0
    return [str(peer.bench), "-m", model, "-t", str(cores.threads),
            "-p", str(prompt), "-n", str(decode), "-r", "1", "-o", "json",
            *bench_flags(peer.flags)]


def bench_flags(flags: Sequence[str]) -> list[str]:
    """llama-bench wants a value where the other programs have a switch."""
    switches = ("-rtr", "--run-time-repack")
    found: list[str] = []
    for flag in flags:
        found += [flag, "1"] if flag in switches else [flag]
    return found


def batched_command(peer: Peer, model: str, cores: Cores,
                    batches: Sequence[int]) -> list[str]:
    context = max(batches) * (BATCH_PROMPT_TOKENS + BATCH_DECODE_TOKENS)
    return [str(peer.batched_bench), "-m", model, "-t", str(cores.threads),
            "-c", str(context), "-npp", str(BATCH_PROMPT_TOKENS),
            "-ntg", str(BATCH_DECODE_TOKENS),
            "-npl", ",".join(map(str, batches)), *peer.flags]


def measure(peer: Peer, model: str, cores: Cores, cells: Sequence[str],
            batches: Sequence[int]) -> Speeds:
    """One run of each program that was given."""
    speeds: Speeds = {}
    if peer.bench and cells:
        output = run(bench_command(peer, model, cores, cells), cores, LIMIT)
        speeds |= parse_bench(output.stdout)
    if peer.batched_bench and batches:
        command = batched_command(peer, model, cores, batches)
        speeds |= parse_batched(run(command, cores, LIMIT), batches)
    return speeds
