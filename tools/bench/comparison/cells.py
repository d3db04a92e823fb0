# SPDX-License-Identifier: Apache-2.0
"""What is measured: cells of a table, each with runs of both engines."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

PROMPT = "pp512"
DECODE = "tg128"
BATCH_PROMPT_TOKENS = 128  # of each sequence of a batch
BATCH_DECODE_TOKENS = 32


def batch_cell(batch: int) -> str:
    """Name of the cell of batched decoding."""
    return f"b{batch}"


Speeds = dict[str, float]  # cell -> tokens per second


@dataclass
class Runs:
    """Speeds of one cell, run after run."""

    peer: list[float] = field(default_factory=list)
    ours: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Spread:
    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(statistics.median(values), min(values), max(values))


@dataclass(frozen=True)
class Row:
    """A cell's medians, and ours over the peer's."""

    cell: str
    peer: Spread
    ours: Spread

    @property
    def ratio(self) -> float:
        return self.ours.median / self.peer.median


class Table:
    """Collects the runs and sums them up."""

    def __init__(self) -> None:
        self._runs: dict[str, Runs] = {}

    def add(self, side: str, speeds: Speeds) -> None:
        """side  'peer' or 'ours'"""
        for cell, speed in speeds.items():
            runs = self._runs.setdefault(cell, Runs())
            (runs.peer if side == "peer" else runs.ours).append(speed)

    def rows(self) -> list[Row]:
        """Cells that both sides have."""
        return [Row(cell, Spread.of(runs.peer), Spread.of(runs.ours))
                for cell, runs in self._runs.items() if runs.peer and runs.ours]

    def as_json(self) -> list[dict[str, Any]]:
        return [{"cell": row.cell, "ratio": row.ratio,
                 "peer": vars(row.peer) | {"runs": self._runs[row.cell].peer},
                 "ours": vars(row.ours) | {"runs": self._runs[row.cell].ours}}
                for row in self.rows()]


def for_people(rows: Iterable[Row], unit: str) -> str:
    """A table with medians, their range, and the ratio of the medians."""
    lines = [f"{'cell':<24} {'peer ' + unit:>30} {'sluice ' + unit:>30}   ratio"]
    for row in rows:
        sides = (f"{side.median:12.2f} ({side.low:.2f}-{side.high:.2f})"
                 for side in (row.peer, row.ours))
        lines.append(f"{row.cell:<24} "
                     + " ".join(f"{text:>30}" for text in sides)
                     + f"  {row.ratio:5.2f}x")
    return "\n".join(lines)
