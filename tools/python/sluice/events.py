# SPDX-License-Identifier: Apache-2.0
"""What a stream consists of, as plain values. Durations are in seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Tuple

FINISH_REASONS = (
    "none",
    "stop_token",
    "stop_string",
    "length",
    "cancelled",
    "disconnected",
    "scored",
)


@dataclass(frozen=True)
class TokenLogprob:
    """Natural logarithms, after all filters; `raw_logprob` before them."""

    token: int
    logprob: float
    raw_logprob: float
    top: Tuple[Tuple[int, float], ...] = ()


@dataclass(frozen=True)
class TokenScore:
    """How likely a given token was: the natural logarithm of the model's own
    distribution, before penalties and filters, given all tokens before.

    index  place of the token in the prompt; the first of all has no score
    piece  its bytes, maybe part of a character
    rank   1: the likeliest
    """

    index: int
    token: int
    piece: bytes
    logprob: float
    rank: int
    top: Tuple[Tuple[int, float], ...] = ()


@dataclass(frozen=True)
class Event:
    """One chunk of a stream; `seq` counts from 0 without holes."""

    seq: int
    text = ""  # so that printing event.text is always right


@dataclass(frozen=True)
class Delta(Event):
    """Tokens of one sequence and the text that they complete."""

    sequence: int
    text: str = ""
    tokens: Tuple[int, ...] = ()
    logprobs: Tuple[TokenLogprob, ...] = ()
    prompt: Tuple[TokenScore, ...] = ()  # of the prompt's tokens


@dataclass(frozen=True)
class Retract(Event):
    """Withdraws a sequence's text from a byte of its UTF-8 form on."""

    sequence: int
    from_byte: int
    from_token: int


@dataclass(frozen=True)
class SequenceEnd(Event):
    """A sequence is complete; `stop` is the stop string that it met, `score`
    what best_of and beams rank by."""

    sequence: int
    reason: str
    stop: str
    generated_tokens: int
    score: float = 0.0


@dataclass(frozen=True)
class Receipt:
    """What a request used."""

    model: str = ""
    prompt_tokens: int = 0
    cached_tokens: int = 0
    generated_tokens: int = 0
    seed: int = 0
    queue_time: float = 0.0
    first_token_time: float = 0.0
    total_time: float = 0.0
    steps: int = 0
    preemptions: int = 0
    page_seconds: float = 0.0
    cost: float = 0.0
    scored_tokens: int = 0
    log_likelihood: float = 0.0
    perplexity: float = 0.0
    likeliest_tokens: int = 0
    candidates: int = 0  # run to choose from; generated_tokens is of all


@dataclass(frozen=True)
class Finished(Event):
    """The last event of a stream that went well or was cancelled."""

    reason: str
    receipt: Optional[Receipt]
