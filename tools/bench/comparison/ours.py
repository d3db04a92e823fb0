# SPDX-License-Identifier: Apache-2.0
"""`sluice bench batch` on the peer's cells."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Sequence
from typing import Any

from .cells import (BATCH_DECODE_TOKENS, BATCH_PROMPT_TOKENS, DECODE, PROMPT,
                    Speeds, batch_cell)
from .processes import ComparisonError, Cores, last_lines, run

LIMIT = 900.0  # seconds of one run


def parse_rows(text: str) -> list[dict[str, Any]]:
    """The rows of `sluice bench batch --json`."""
    try:
        rows = json.loads(text)["rows"]
        assert rows and all("speed_tg" in row for row in rows)
        return list(rows)
    except (ValueError, KeyError, TypeError, AssertionError):
        raise ComparisonError("sluice bench batch: cannot read its output: "
                              + last_lines(text)) from None


def batch_rows(sluice: pathlib.Path, model: str, cores: Cores, prompt: int,
               decode: int, batches: Sequence[int]) -> list[dict[str, Any]]:
    """One round of `sluice bench batch`."""
    command = [str(sluice), "bench", "batch", "--model", model, "--threads",
               str(cores.threads), "--pp", str(prompt), "--tg", str(decode),
               "--b", ",".join(map(str, batches)), "--repeat", "1", "--json"]
    return parse_rows(run(command, cores, LIMIT).stdout)


def measure(sluice: pathlib.Path, model: str, cores: Cores,
            cells: Sequence[str], batches: Sequence[int]) -> Speeds:
    """One run of each cell."""
    speeds: Speeds = {}
    if PROMPT in cells:
        row = batch_rows(sluice, model, cores, 512, 1, [1])[0]
        speeds[PROMPT] = row["speed_pp"]
    if DECODE in cells:
        row = batch_rows(sluice, model, cores, 1, 128, [1])[0]
        speeds[DECODE] = row["speed_tg"]
    if batches:
        rows = batch_rows(sluice, model, cores, BATCH_PROMPT_TOKENS,
                          BATCH_DECODE_TOKENS, batches)
        speeds |= {batch_cell(row["b"]): row["speed_tg"] for row in rows}
    return speeds
