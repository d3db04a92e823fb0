# SPDX-License-Identifier: Apache-2.0
"""What both clients are made from, and what of it can be pickled."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .calls import Timing
from .request import Request
from .wire import default_endpoint


@dataclass(frozen=True)
class Settings:
    """Where the daemon is and how long to wait for it.

    endpoint       "" is the daemon of this user (see `default_endpoint`)
    tenant         whom requests belong to
    timeout        seconds for a whole stream, unless the call says otherwise
    reply_timeout  seconds for answers to cancel, stats, health and models
    timing         of the handshake and of repeated questions
    """

    endpoint: str = ""
    tenant: str = ""
    timeout: float = 300.0
    reply_timeout: float = 10.0
    timing: Timing = field(default_factory=Timing)

    def named_endpoint(self) -> str:
        return self.endpoint or default_endpoint()


def score_of(text: Any, continuation: str, options: Any) -> Request:
    """The request that scores a text, token ids, or a Request's own."""
    if isinstance(text, Request):
        if not text.score:
            raise ValueError("the Request generates; set score=True")
        if continuation:
            raise TypeError("a Request takes no further options")
        return request_of(text, options)
    if not isinstance(text, str):
        options = {**options, "prompt_tokens": tuple(text)}
        text = ""
    return Request(
        prompt=text, continuation=continuation, score=True, **options
    )


def request_of(prompt: Any, options: Any) -> Request:
    """A Request as it is, or one of a prompt and the fields of Request."""
    if isinstance(prompt, Request):
        if options:
            raise TypeError("a Request takes no further options")
        return prompt
    return Request(prompt=prompt or "", **options)
