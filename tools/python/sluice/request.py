# SPDX-License-Identifier: Apache-2.0
"""What a client may ask for, and its form on the wire."""

from __future__ import annotations

import math
import uuid
from dataclasses import dataclass, field
from typing import Any, Mapping, Optional, Sequence, Tuple, Union

from . import frames
from .messages.BeamSearch import BeamSearchT
from .messages.ChatMessage import ChatMessageT
from .messages.EarlyStopping import EarlyStopping
from .messages.LogitBias import LogitBiasT
from .messages.OnDisconnect import OnDisconnect
from .messages.Role import Role
from .messages.Sampling import SamplingT
from .messages.StopRules import StopRulesT
from .messages.Submit import SubmitT


def new_request_id() -> str:
    """A fresh random name: 32 hexadecimal digits."""
    return uuid.uuid4().hex


@dataclass(frozen=True)
class Request:
    """One request. Exactly one of prompt, prompt_tokens and messages is set.

    messages         pairs of (role, content); roles: system, user, assistant,
                     tool
    model            "" is the daemon's first
    seed             None: random; the receipt says which
    n                answers to give
    best_of          draw so many answers, give the n likeliest; 0: n
    beams            search for the n likeliest answers with so many beams
                     instead of drawing; 0: do not. With beams, and with
                     best_of above n, the stream has the answers at the end
                     only, best first
    length_penalty   of beams: above 0 prefers longer answers
    early_stopping   of beams: when as many answers are complete, end
                     "heuristic" or False: if the best running beam is no
                     better, "first" or True: at once, "never": only if none
                     can become better
    logprobs         alternatives per token, 0: none
    echo             the prompt's text goes before the answer
    prompt_logprobs  score every token of the prompt, with so many
                     alternatives each; None: do not
    score            generate nothing; the receipt carries the prompt's
                     log-likelihood
    continuation     text after `prompt`; with score only its tokens count
    score_from       index of the first token that counts
    max_tokens       0: until the context is full
    priority         higher is sooner, -100 to 100
    deadline, queue_timeout, keep_for
                     seconds from arrival, 0: none
    keep_cached      seconds that the prompt's KV should stay in the cache
    pin, unpin       keep it there, within memory.pinned_share; end that
    on_disconnect    "cancel" or "continue_running"
    parse_special    special tokens in the prompt's text become tokens
    request_id       submitting one twice attaches to the first's stream
    """

    prompt: str = ""
    prompt_tokens: Sequence[int] = ()
    messages: Sequence[Tuple[str, str]] = ()
    model: str = ""
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    seed: Optional[int] = None
    logit_bias: Mapping[int, float] = field(default_factory=dict)
    logprobs: int = 0
    want_logprobs: bool = False
    echo: bool = False
    prompt_logprobs: Optional[int] = None
    score: bool = False
    continuation: str = ""
    score_from: int = 0
    max_tokens: int = 0
    min_tokens: int = 0
    stop: Sequence[str] = ()
    stop_tokens: Sequence[int] = ()
    ignore_eos: bool = False
    n: int = 1
    best_of: int = 0
    beams: int = 0
    length_penalty: float = 1.0
    early_stopping: Union[str, bool] = "heuristic"
    parse_special: bool = False
    priority: int = 0
    deadline: float = 0.0
    queue_timeout: float = 0.0
    keep_for: float = 0.0
    keep_cached: float = 0.0
    pin: bool = False
    unpin: bool = False
    on_disconnect: str = "cancel"
    request_id: str = field(default_factory=new_request_id)

    def __post_init__(self) -> None:
        given = [self.prompt, self.prompt_tokens, self.messages]
        if sum(len(value) > 0 for value in given) != 1:
            raise ValueError(
                "set exactly one of prompt, prompt_tokens and messages"
            )
        if isinstance(self.stop, str):
            raise ValueError("stop is a list of strings, e.g. stop=['\\n']")
        if not all(self.stop):
            raise ValueError("a stop string is empty; leave it out")
        if not _is_id(self.request_id):
            raise ValueError("request_id must be 32 lower-case hex digits")
        self._check_numbers()
        self._check_scoring()
        self._check_choice()

    def _check_numbers(self) -> None:
        for name, low, high in _RANGES:
            value = getattr(self, name)
            if not low <= value <= high:  # a NaN is in no range
                raise ValueError(f"{name} is {value}; allowed: {low} to {high}")
        if not self.top_p > 0 or not self.repetition_penalty > 0:
            raise ValueError("top_p and repetition_penalty must be above 0")
        if not all(map(math.isfinite, self.logit_bias.values())):
            raise ValueError("logit_bias must be finite")
        if self.max_tokens and self.min_tokens > self.max_tokens:
            raise ValueError("min_tokens is above max_tokens")
        if self.seed is not None and not 0 <= self.seed < 2**64:
            raise ValueError(f"seed is {self.seed}; allowed: 0 to 2**64 - 1")

        if self.pin and self.unpin:
            raise ValueError("pin and unpin exclude each other")

    def _check_scoring(self) -> None:
        if not 0 <= (self.prompt_logprobs or 0) <= _WORD:
            raise ValueError("prompt_logprobs is a count of alternatives")
        if self.score and self.n != 1:
            raise ValueError("score generates nothing; leave n out")
        if self.continuation and not (self.score and self.prompt):
            raise ValueError("continuation needs score and prompt")
        if self.continuation and self.score_from:
            raise ValueError("set one of continuation and score_from")

    def _check_choice(self) -> None:
        if self.best_of and self.best_of < self.n:
            raise ValueError("best_of is below n")
        if self.best_of > self.n and self.temperature == 0:
            raise ValueError(
                "best_of above n needs a temperature: at 0 all are alike"
            )
        if self.beams and (self.best_of or self.score or self.n > self.beams):
            raise ValueError(
                "beams exclude best_of and score, and n is at most beams"
            )
        _early_stopping(self.early_stopping)

    def pack(self, tenant: str) -> bytes:
        """The Submit frame."""
        message: Any = SubmitT()
        message.id = frames.wire_id(self.request_id)
        message.tenant = tenant or None
        message.model = self.model or None
        message.prompt = self.prompt or None
        message.promptTokens = list(self.prompt_tokens) or None
        message.messages = [_chat(*pair) for pair in self.messages] or None
        message.sampling = self._sampling()
        message.stopping = self._stopping()
        message.n = self.n
        message.bestOf = self.best_of
        message.beam = self._beam()
        message.echo = self.echo
        message.promptLogprobs = self.prompt_logprobs is not None
        message.promptTopLogprobs = self.prompt_logprobs or 0
        message.score = self.score
        message.continuation = self.continuation or None
        message.scoreFrom = self.score_from
        message.parseSpecial = self.parse_special
        message.priority = self.priority
        message.deadlineMs = round(self.deadline * 1000)
        message.queueTimeoutMs = round(self.queue_timeout * 1000)
        message.keepForMs = round(self.keep_for * 1000)
        message.keepCachedMs = round(self.keep_cached * 1000)
        message.pin = self.pin
        message.unpin = self.unpin
        message.onDisconnect = _named(OnDisconnect, self.on_disconnect)
        return frames.pack(message)

    def _sampling(self) -> Any:
        message: Any = SamplingT()
        message.temperature = self.temperature
        message.topK = self.top_k
        message.topP = self.top_p
        message.minP = self.min_p
        message.repetitionPenalty = self.repetition_penalty
        message.frequencyPenalty = self.frequency_penalty
        message.presencePenalty = self.presence_penalty
        message.seed = self.seed
        bias = self.logit_bias.items()
        message.logitBias = [_bias(*pair) for pair in bias] or None
        message.logprobs = self.logprobs
        message.wantLogprobs = self.want_logprobs
        return message

    def _beam(self) -> Any:
        if not self.beams:
            return None
        message: Any = BeamSearchT()
        message.width = self.beams
        message.lengthPenalty = self.length_penalty
        message.earlyStopping = _early_stopping(self.early_stopping)
        return message

    def _stopping(self) -> Any:
        message: Any = StopRulesT()
        message.maxTokens = self.max_tokens
        message.minTokens = self.min_tokens
        message.stop = list(self.stop) or None
        message.stopTokens = list(self.stop_tokens) or None
        message.ignoreEos = self.ignore_eos
        return message


_WEEK = 7 * 24 * 3600
_WORD = 2**32 - 1
# As in messages/semantic_check.cpp; counts and lengths are the daemon's to set.
_RANGES = (
    ("temperature", 0, 100),
    ("top_k", 0, _WORD),
    ("top_p", 0, 1),
    ("min_p", 0, 1),
    ("repetition_penalty", 0, 100),
    ("frequency_penalty", -100, 100),
    ("presence_penalty", -100, 100),
    ("logprobs", 0, _WORD),
    ("max_tokens", 0, _WORD),
    ("min_tokens", 0, _WORD),
    ("n", 1, _WORD),
    ("best_of", 0, _WORD),
    ("beams", 0, 128),
    ("length_penalty", -10, 10),
    ("score_from", 0, _WORD),
    ("priority", -100, 100),
    ("deadline", 0, _WEEK),
    ("queue_timeout", 0, _WEEK),
    ("keep_for", 0, 24 * 3600),
    ("keep_cached", 0, 24 * 3600),
)


def _is_id(text: str) -> bool:
    return len(text) == 32 and not text.strip("0123456789abcdef")


def _named(enum: type, name: str) -> int:
    value = getattr(enum, name, None)
    if not isinstance(value, int):
        raise ValueError(f"{name!r} is no {enum.__name__}")
    return value


def _early_stopping(rule: Union[str, bool]) -> int:
    if isinstance(rule, bool):  # as transformers has it
        rule = "first" if rule else "heuristic"
    return _named(EarlyStopping, rule)


def _chat(role: str, content: str) -> ChatMessageT:
    message = ChatMessageT()
    message.role = _named(Role, role)
    message.content = content
    return message


def _bias(token: int, bias: float) -> LogitBiasT:
    message = LogitBiasT()
    message.token = token
    message.bias = bias
    return message
