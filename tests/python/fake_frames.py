# SPDX-License-Identifier: Apache-2.0
"""Frames as a daemon builds them, for tests of the client."""

import zlib

from sluice import frames
from sluice.messages.Accepted import AcceptedT
from sluice.messages.Cancelled import CancelledT
from sluice.messages.Chunk import ChunkT
from sluice.messages.ChunkBody import ChunkBody
from sluice.messages.Delta import DeltaT
from sluice.messages.Failed import FailedT
from sluice.messages.FinishReason import FinishReason
from sluice.messages.Finished import FinishedT
from sluice.messages.Gap import GapT
from sluice.messages.Health import HealthT
from sluice.messages.Hello import HelloT
from sluice.messages.Receipt import ReceiptT
from sluice.messages.Refused import RefusedT
from sluice.messages.Rejected import RejectedT
from sluice.messages.Replayed import ReplayedT
from sluice.messages.Retract import RetractT
from sluice.messages.SequenceEnd import SequenceEndT

EPOCH = 7


def build(kind, topic=None, **fields):
    """The frame of a message with these fields set."""
    message = kind()
    if topic is not None:
        message.id = frames.wire_id(topic)
    for name, value in fields.items():
        assert hasattr(message, name), name
        setattr(message, name, value)
    return frames.pack(message)


def hello(epoch=EPOCH, stream_endpoint="inproc://none", **fields):
    fields = {"protocol": 1, "oldestProtocol": 1, **fields}
    fields.update(epoch=epoch, streamEndpoint=stream_endpoint)
    return build(HelloT, **fields)


def accepted(topic, epoch=EPOCH, **fields):
    return build(AcceptedT, topic, epoch=epoch, **fields)


def rejected(topic, code, text, retry_after_ms=0):
    fields = {"code": code, "text": text, "retryAfterMs": retry_after_ms}
    return build(RejectedT, topic, **fields)


def cancelled(topic, found=True):
    return build(CancelledT, topic, found=found)


def replayed(topic, next_seq, ended=False):
    return build(ReplayedT, topic, nextSeq=next_seq, ended=ended)


def gap(topic, from_seq, to_seq, text=""):
    return build(GapT, topic, fromSeq=from_seq, toSeq=to_seq, text=text)


def refused(code, text):
    return build(RefusedT, code=code, text=text)


def health(correlation, state=1):
    return build(HealthT, correlation=correlation, state=state, running=2)


def chunk(topic, seq, kind, body, epoch=EPOCH, **fields):
    fields.update(epoch=epoch, seq=seq, bodyType=kind, body=body)
    return build(ChunkT, topic, **fields)


def delta(topic, seq, text, tokens=(1,), sequence=0, **fields):
    body = DeltaT()
    body.text, body.tokens, body.sequence = text, list(tokens), sequence
    return chunk(topic, seq, ChunkBody.Delta, body, **fields)


def retract(topic, seq, from_byte, from_token):
    body = RetractT()
    body.fromByte, body.fromToken = from_byte, from_token
    return chunk(topic, seq, ChunkBody.Retract, body)


def sequence_end(topic, seq, **fields):
    body = SequenceEndT()
    body.reason = FinishReason.stop_token
    return chunk(topic, seq, ChunkBody.SequenceEnd, body, **fields)


def end_of(topic, earlier, kind=ChunkBody.Finished, head=None, **fields):
    """The terminal chunk after `earlier` frames, count and checksum right
    unless `fields` say otherwise; `head` are fields of the chunk itself."""
    body = FinishedT() if kind == ChunkBody.Finished else FailedT()
    body.chunks = len(earlier) + 1
    for frame in earlier:
        body.checksum = zlib.crc32(frame, body.checksum)
    if kind == ChunkBody.Finished:
        body.reason = FinishReason.stop_token
    body.receipt = ReceiptT()
    body.receipt.model = "pebble"
    body.receipt.totalUs = 1_500_000
    for name, value in fields.items():
        setattr(body, name, value)
    return chunk(topic, len(earlier), kind, body, **(head or {}))


def stream(topic, *texts, **fields):
    """A whole stream: one delta a text, the end of the sequence, Finished."""
    chunks = [
        delta(topic, seq, text, **fields) for seq, text in enumerate(texts)
    ]
    chunks.append(sequence_end(topic, len(chunks), **fields))
    return chunks + [end_of(topic, chunks, head=fields)]
