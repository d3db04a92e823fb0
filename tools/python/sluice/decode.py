# SPDX-License-Identifier: Apache-2.0
"""From the object form of messages to the values that users see."""

from __future__ import annotations

from typing import Any, List, Optional, Tuple, Union

from .errors import Failed, ProtocolError, error_name
from .events import FINISH_REASONS, Delta, Event, Finished, Receipt, Retract
from .events import SequenceEnd, TokenLogprob, TokenScore
from .frames import text_of
from .messages.ChunkBody import ChunkBody


def numbers(vector: Any) -> List[int]:
    """A vector of integers; numpy's, a list or None."""
    return [] if vector is None else [int(value) for value in vector]


def reason_name(reason: int) -> str:
    known = 0 <= reason < len(FINISH_REASONS)
    return FINISH_REASONS[reason] if known else f"reason_{reason}"


def receipt_of(message: Any) -> Optional[Receipt]:
    if message is None:
        return None
    return Receipt(
        model=text_of(message.model),
        prompt_tokens=message.promptTokens,
        cached_tokens=message.cachedTokens,
        generated_tokens=message.generatedTokens,
        seed=message.seed,
        queue_time=message.queueUs / 1e6,
        first_token_time=message.firstTokenUs / 1e6,
        total_time=message.totalUs / 1e6,
        steps=message.steps,
        preemptions=message.preemptions,
        page_seconds=message.pageSeconds,
        cost=message.cost,
        scored_tokens=message.scoredTokens,
        log_likelihood=message.logLikelihood,
        perplexity=message.perplexity,
        likeliest_tokens=message.likeliestTokens,
        candidates=message.candidates,
    )


def _logprob(message: Any) -> TokenLogprob:
    top = tuple((t.token, t.logprob) for t in message.top or ())
    return TokenLogprob(
        message.token, message.logprob, message.rawLogprob, top
    )


def _scores(message: Any) -> Tuple[TokenScore, ...]:
    """The flat columns of TokenScores as one value a token."""
    if message is None:
        return ()
    tops = list(zip(numbers(message.topTokens), _floats(message.topLogprobs)))
    count = message.topCount
    ends = numbers(message.pieceEnds)
    pieces = bytes(numbers(message.pieces))
    columns = zip(
        numbers(message.tokens),
        [0] + ends,
        ends,
        _floats(message.logprobs),
        numbers(message.ranks),
    )
    return tuple(
        TokenScore(
            message.first + i,
            token,
            pieces[begin:end],
            logprob,
            rank,
            tuple(tops[i * count : (i + 1) * count]),
        )
        for i, (token, begin, end, logprob, rank) in enumerate(columns)
    )


def _floats(vector: Any) -> List[float]:
    return [] if vector is None else [float(value) for value in vector]


def event_of(chunk: Any) -> Union[Event, Failed]:
    """The event of a Chunk in object form; Failed is an error, returned."""
    body, kind, seq = chunk.body, chunk.bodyType, chunk.seq
    if body is None:
        raise ProtocolError(f"chunk {seq} has no readable body (type {kind})")
    if kind == ChunkBody.Delta:
        return Delta(
            seq,
            body.sequence,
            text_of(body.text),
            tuple(numbers(body.tokens)),
            tuple(_logprob(entry) for entry in body.logprobs or ()),
            _scores(body.prompt),
        )
    if kind == ChunkBody.Retract:
        return Retract(seq, body.sequence, body.fromByte, body.fromToken)
    if kind == ChunkBody.SequenceEnd:
        return SequenceEnd(
            seq,
            body.sequence,
            reason_name(body.reason),
            text_of(body.stop),
            body.generatedTokens,
            body.score,
        )
    receipt = receipt_of(body.receipt)
    if kind == ChunkBody.Finished:
        return Finished(seq, reason_name(body.reason), receipt)
    return Failed(error_name(body.code), text_of(body.text), receipt)
