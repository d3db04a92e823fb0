# SPDX-License-Identifier: Apache-2.0
"""Everything that can go wrong, as types. All can be pickled."""

from __future__ import annotations

from typing import Optional

from .events import Receipt
from .messages.error_table import ERRORS


def error_name(code: int) -> str:
    """The stable name of a code: "queue_full"."""
    return ERRORS[code][0] if 0 <= code < len(ERRORS) else f"code_{code}"


def error_remedy(code: str) -> str:
    """What to do about an error of that name; "" for an unknown one."""
    return next((row[2] for row in ERRORS if row[0] == code), "")


class SluiceError(Exception):
    """Base of every error of this package."""


class NoDaemon(SluiceError, ConnectionError):
    """Nothing answered at the endpoint in time."""


class Timeout(SluiceError, TimeoutError):
    """The answer did not come in the time that the caller allowed."""


class ProtocolError(SluiceError):
    """Frames that break the protocol: malformed, or a checksum that is off."""


class StreamLost(SluiceError):
    """Chunks of the stream are gone for good (window expired, restart)."""


class Cancelled(SluiceError):
    """The stream was closed by this client before its end."""


class RequestError(SluiceError):
    """The daemon says why a request did not run to its end.

    code    stable name, e.g. "queue_full"
    text    what happened, with the values concerned
    remedy  what to do about it
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(code, text)
        self.code = code
        self.text = text
        self.remedy = error_remedy(code)

    def __str__(self) -> str:
        remedy = "" if self.remedy in self.text else f" {self.remedy}"
        return f"{self.code}: {self.text}{remedy}"


class Rejected(RequestError):
    """The request was refused before it ran.

    retry_after  seconds after which another try makes sense, or None
    """

    def __init__(
        self, code: str, text: str, retry_after: Optional[float] = None
    ) -> None:
        super().__init__(code, text)
        self.args = (code, text, retry_after)
        self.retry_after = retry_after


class Failed(RequestError):
    """The request ran and failed; `receipt` says what it used, if known."""

    def __init__(
        self, code: str, text: str, receipt: Optional[Receipt] = None
    ) -> None:
        super().__init__(code, text)
        self.args = (code, text, receipt)
        self.receipt = receipt
