# SPDX-License-Identifier: Apache-2.0
"""Streaming HTTP clients of a llama-server, and what they saw."""

from __future__ import annotations

import http.client
import json
import queue
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .processes import ComparisonError


@dataclass
class Stream:
    """One answer: when its pieces came, and the tokens that it came to."""

    times: list[float] = field(default_factory=list)
    tokens: int = 0
    error: str = ""


@dataclass(frozen=True)
class Work:
    """Requests of one length of answer, by some clients at a time."""

    prompts: Sequence[Sequence[int]]
    output_tokens: int
    clients: int


def percentile(values: Sequence[float], percent: float) -> float:
    """Linear between the two nearest ranks, as numpy's; 0 of nothing."""
    if not values:
        return 0.0
    ordered = sorted(values)
    rank = percent / 100 * (len(ordered) - 1)
    below = int(rank)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (rank - below) * (ordered[above] - ordered[below])


def sum_up(streams: Sequence[Stream], seconds: float) -> dict[str, float]:
    """Output tokens per second, and all gaps between pieces in milliseconds.

    Raises ComparisonError if a stream failed.
    """
    for stream in streams:
        if stream.error or not stream.times:
            raise ComparisonError(
                "llama-server: a request failed: "
                + (stream.error or "no token came"))
    gaps = [later - earlier for stream in streams
            for earlier, later in zip(stream.times, stream.times[1:])]
    return {"output_throughput": sum(s.tokens for s in streams) / seconds,
            "p99_itl_ms": percentile(gaps, 99) * 1e3,
            "median_itl_ms": percentile(gaps, 50) * 1e3}


def body_of(prompt: Sequence[int], output_tokens: int) -> bytes:
    return json.dumps({"prompt": list(prompt), "n_predict": output_tokens,
                       "stream": True, "ignore_eos": True, "temperature": 0,
                       "cache_prompt": False}).encode()


def take_line(line: bytes, now: float, stream: Stream) -> bool:
    """Takes a line of the event stream; True after the last one."""
    if not line.startswith(b"data: "):
        return False
    if line.strip() == b"data: [DONE]":
        return True
    event: dict[str, Any] = json.loads(line[6:])
    if "error" in event:
        stream.error = str(event["error"])
        return True
    if not event.get("stop"):
        stream.times.append(now)
        return False
    timings = event.get("timings") or {}
    counted = timings.get("predicted_n", event.get("tokens_predicted"))
    stream.tokens = int(counted or len(stream.times))
    return True


def read_answer(port: int, body: bytes, stream: Stream) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    try:
        connection.request("POST", "/completion", body,
                           {"Content-Type": "application/json"})
        response = connection.getresponse()
        if response.status != 200:
            stream.error = f"HTTP {response.status}: {response.read(200)!r}"
            return
        while line := response.readline():
            if take_line(line, time.perf_counter(), stream):
                return
        stream.error = "the stream ended early"
    except (OSError, ValueError, http.client.HTTPException) as error:
        stream.error = f"{type(error).__name__}: {error}"
    finally:
        connection.close()


def drive(port: int, work: Work) -> dict[str, float]:
    """All requests, by `work.clients` at a time."""
    todo: queue.SimpleQueue[tuple[bytes, Stream]] = queue.SimpleQueue()
    streams = [Stream() for _ in work.prompts]
    for prompt, stream in zip(work.prompts, streams):
        todo.put((body_of(prompt, work.output_tokens), stream))

    def client() -> None:
        while True:
            try:
                body, stream = todo.get_nowait()
            except queue.Empty:
                return
            read_answer(port, body, stream)

    threads = [threading.Thread(target=client) for _ in range(work.clients)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum_up(streams, time.perf_counter() - began)
