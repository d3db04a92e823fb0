# SPDX-License-Identifier: Apache-2.0
"""What a proof found: a table, and the promises that did not hold."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Row = Mapping[str, Any]


@dataclass
class Outcome:
    """Rows of one table, all with the same keys; `broken` fails the proof.

    Speed and latency are shown, never judged: another machine, or a busy one,
    is no defect.
    """

    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def require(self, holds: bool, promise: str) -> None:
        if not holds:
            self.broken.append(promise)

    def add(self, row: Row) -> None:
        """A row; shown at once, as the others may take their time."""
        self.rows.append(row)
        say(", ".join(f"{name} {cell(row[name])}" for name in row))

    def as_json(self) -> dict[str, Any]:
        return {"rows": [dict(row) for row in self.rows],
                "notes": self.notes, "broken": self.broken}

    def for_people(self) -> str:
        lines = [table(self.rows)] if self.rows else []
        lines += self.notes
        lines += [f"BROKEN: {promise}" for promise in self.broken]
        return "\n".join(lines)


def cell(value: Any) -> str:
    """Three digits that matter; a dash where nothing was measured."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return str(value)


def table(rows: Sequence[Row]) -> str:
    """A Markdown table in columns that line up."""
    names = list(rows[0])
    texts = [[cell(row[name]) for name in names] for row in rows]
    widths = [max(map(len, column)) for column in zip(names, *texts)]

    def line(cells: Sequence[str]) -> str:
        first, *rest = (c.ljust(w) if i == 0 else c.rjust(w)
                        for i, (c, w) in enumerate(zip(cells, widths)))
        return "| " + " | ".join([first, *rest]) + " |"

    ruler = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([line(names), ruler, *map(line, texts)])


def say(text: str) -> None:
    """Progress, for whoever watches."""
    print(text, file=sys.stderr, flush=True)
