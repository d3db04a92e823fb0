# SPDX-License-Identifier: Apache-2.0
"""Client of Sluice, a streaming inference daemon for language models."""

from .aio import AsyncClient, AsyncStream
from .answers import Generation, Health, Model, Score, Sequence
from .calls import Timing
from .client import Client, Stream
from .errors import Cancelled, Failed, NoDaemon, ProtocolError, Rejected
from .errors import RequestError, SluiceError, StreamLost, Timeout
from .events import Delta, Event, Finished, Receipt, Retract, SequenceEnd
from .events import TokenLogprob, TokenScore
from .request import Request, new_request_id
from .settings import Settings
from .wire import default_endpoint

__version__ = "0.1.0"

__all__ = [
    "AsyncClient",
    "AsyncStream",
    "Cancelled",
    "Client",
    "Delta",
    "Event",
    "Failed",
    "Finished",
    "Generation",
    "Health",
    "Model",
    "NoDaemon",
    "ProtocolError",
    "Receipt",
    "Rejected",
    "Request",
    "RequestError",
    "Retract",
    "Score",
    "Sequence",
    "SequenceEnd",
    "Settings",
    "SluiceError",
    "Stream",
    "StreamLost",
    "Timeout",
    "Timing",
    "TokenLogprob",
    "TokenScore",
    "default_endpoint",
    "new_request_id",
]
