# SPDX-License-Identifier: Apache-2.0
"""What the proof `victim` asks of a server, and what came when."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Optional

from .load import Track, milliseconds

CALM = 0.15  # of the quiet time is let pass until all victims decode
PATIENCE = 60.0  # seconds until the victims go on


@dataclass(frozen=True)
class Plan:
    """What both servers are asked."""

    prompts: list[list[int]]  # of the victims
    tokens: int  # of a victim's stream
    intruder: list[int]
    quiet: float


@dataclass
class Seen:
    """When the prompt came and had its first token, and what the others got.

    victims  each one's streams, one after the other
    """

    began: float
    victims: list[list[Track]]
    arrived: float
    first_token: float
    over: float = 0.0

    @property
    def streams(self) -> list[Track]:
        return [stream for victim in self.victims for stream in victim]

    def row(self, name: str) -> dict[str, Any]:
        calm = (self.began, self.arrived)
        stormy = (self.arrived, self.first_token)
        before, during = self._rate(*calm), self._rate(*stormy)
        after = self._rate(self.first_token, self.over)
        return {"server": name,
                "before tokens/s": before,
                "beside tokens/s": during,
                "after tokens/s": after,
                "rate kept %": 200 * during / (before + after),
                "before p99 ITL ms": self._itl(*calm, 99),
                "beside p50 ITL ms": self._itl(*stormy, 50),
                "beside p99 ITL ms": self._itl(*stormy, 99),
                "longest gap ms": self._itl(*stormy, 100),
                "prompt's TTFT s": self.first_token - self.arrived}

    def _rate(self, begin: float, end: float) -> float:
        tokens = sum(s.tokens_between(begin, end) for s in self.streams)
        return tokens / (end - begin)

    def _itl(self, begin: float, end: float,
             percent: float) -> Optional[float]:
        """Of gaps that are at least partly in the time."""
        return milliseconds(
            (after - before for s in self.streams
             for before, after in zip(s.times, s.times[1:])
             if after > begin and before < end), percent)

    def go_on(self) -> bool:
        """All victims have had a token since."""
        return all(any(s.times and s.times[-1] > self.first_token
                       for s in victim[-2:]) for victim in self.victims)

    def end(self) -> Seen:
        self.over = time.perf_counter()
        return self
