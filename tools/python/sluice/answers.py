# SPDX-License-Identifier: Apache-2.0
"""What queries give, and how a stream's events add up to an answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Tuple

from .errors import Cancelled
from .events import Delta, Event, Finished, Receipt, Retract, SequenceEnd
from .events import TokenLogprob, TokenScore
from .frames import text_of

_STATES = ("starting", "ready", "draining", "failing", "recovering")


@dataclass(frozen=True)
class Health:
    """`state`: starting, ready, draining, failing or recovering. Ages in
    seconds."""

    state: str
    version: str
    epoch: int
    uptime: float
    last_step_age: float
    last_decision_age: float
    running: int
    waiting: int
    text: str


@dataclass(frozen=True)
class Model:
    """A model that the daemon hosts."""

    name: str
    family: str
    context_tokens: int
    vocabulary: int
    weight_bytes: int
    kv_pages: int
    page_tokens: int


def health_of(message: Any) -> Health:
    known = 0 <= message.state < len(_STATES)
    return Health(
        _STATES[message.state] if known else f"state_{message.state}",
        text_of(message.version),
        message.epoch,
        message.uptimeMs / 1000,
        message.lastStepAgeMs / 1000,
        message.lastDecisionAgeMs / 1000,
        message.running,
        message.waiting,
        text_of(message.text),
    )


def stats_of(message: Any) -> Dict[str, float]:
    """Series by name; labels as in Prometheus: 'name{lane="pebble"}'."""
    series = {}
    for metric in message.metrics or ():
        labels = text_of(metric.labels).strip("{}")
        name = text_of(metric.name)
        series[f"{name}{{{labels}}}" if labels else name] = metric.value
    return series


def models_of(message: Any) -> List[Model]:
    return [
        Model(
            text_of(model.name),
            text_of(model.family),
            model.contextTokens,
            model.vocabulary,
            model.weightBytes,
            model.kvPages,
            model.pageTokens,
        )
        for model in message.models or ()
    ]


@dataclass(frozen=True)
class Sequence:
    """One answer to a request. `finish_reason`: stop_token, stop_string,
    length, cancelled or disconnected; `stop`: the stop string that was met;
    `score`: what best_of and beams rank by."""

    text: str = ""
    tokens: Tuple[int, ...] = ()
    logprobs: Tuple[TokenLogprob, ...] = ()
    finish_reason: str = "none"
    stop: str = ""
    score: float = 0.0


@dataclass(frozen=True)
class Generation:
    """The whole answer: one sequence, or `n` of them in order. `text` and the
    like are those of the first."""

    request_id: str
    sequences: Tuple[Sequence, ...]
    receipt: Optional[Receipt]
    prompt_logprobs: Tuple[TokenScore, ...] = ()

    @property
    def text(self) -> str:
        return self.sequences[0].text

    @property
    def tokens(self) -> Tuple[int, ...]:
        return self.sequences[0].tokens

    @property
    def logprobs(self) -> Tuple[TokenLogprob, ...]:
        return self.sequences[0].logprobs

    @property
    def finish_reason(self) -> str:
        return self.sequences[0].finish_reason


@dataclass(frozen=True)
class Score:
    """How likely a text was. `per_token` is empty unless it was asked for;
    `greedy`: every token was the model's likeliest."""

    request_id: str
    tokens: int
    log_likelihood: float
    perplexity: float
    greedy: bool
    per_token: Tuple[TokenScore, ...]
    receipt: Receipt


class _Growing:
    def __init__(self) -> None:
        self.text = bytearray()
        self.tokens: List[int] = []
        self.logprobs: List[TokenLogprob] = []
        self.end: Optional[SequenceEnd] = None

    def sequence(self, reason: str) -> Sequence:
        return Sequence(
            self.text.decode("utf-8", "replace"),
            tuple(self.tokens),
            tuple(self.logprobs),
            self.end.reason if self.end else reason,
            self.end.stop if self.end else "",
            self.end.score if self.end else 0.0,
        )


class Assembly:
    """Adds up events, withdrawals included."""

    def __init__(self) -> None:
        self._sequences: Dict[int, _Growing] = {}
        self._finished: Optional[Finished] = None
        self._prompt: List[TokenScore] = []

    def add(self, event: Event) -> None:
        if isinstance(event, Finished):
            self._finished = event
        elif isinstance(event, (Delta, Retract, SequenceEnd)):
            growing = self._sequences.setdefault(event.sequence, _Growing())
            if isinstance(event, Delta):
                growing.text += event.text.encode("utf-8")
                growing.tokens += event.tokens
                growing.logprobs += event.logprobs
                self._prompt += event.prompt
            elif isinstance(event, Retract):
                del growing.text[event.from_byte :]
                del growing.tokens[event.from_token :]
                del growing.logprobs[event.from_token :]
            else:
                growing.end = event

    def generation(self, request_id: str) -> Generation:
        """What has come so far; complete once Finished was added."""
        reason = self._finished.reason if self._finished else "none"
        last = max(self._sequences, default=0)
        sequences = (
            self._sequences.get(index, _Growing()).sequence(reason)
            for index in range(last + 1)
        )
        receipt = self._finished.receipt if self._finished else None
        return Generation(
            request_id, tuple(sequences), receipt, tuple(self._prompt)
        )

    def score(self, request_id: str) -> Score:
        """Of a request with `score` that has ended."""
        done = self._finished
        if done is None or done.reason != "scored" or done.receipt is None:
            raise Cancelled(f"the score ended early: {done and done.reason}")
        receipt = done.receipt
        return Score(
            request_id,
            receipt.scored_tokens,
            receipt.log_likelihood,
            receipt.perplexity,
            receipt.likeliest_tokens == receipt.scored_tokens,
            tuple(self._prompt),
            receipt,
        )
