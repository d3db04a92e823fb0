# SPDX-License-Identifier: Apache-2.0
"""Both engines as servers under the same load of streaming clients."""

from __future__ import annotations

import http.client
import json
import pathlib
import random
import socket
import tempfile
import time
from collections.abc import Sequence

from .processes import ComparisonError, Cores, Server, last_lines, run, serving
from .streams import Work, drive

START_LIMIT = 120.0  # seconds
RUN_LIMIT = 900.0
METRICS = ("output_throughput", "p99_itl_ms", "median_itl_ms")


def make_prompts(count: int, tokens: int, vocabulary: int) -> list[list[int]]:
    """The same for both sides; away from special tokens at the ends."""
    source = random.Random(1)
    low, high = vocabulary // 8, vocabulary - vocabulary // 8
    return [[source.randrange(low, high) for _ in range(tokens)]
            for _ in range(count)]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def wait_healthy(server: Server, port: int) -> None:
    end = time.monotonic() + START_LIMIT
    while not is_healthy(port):
        server.check()
        if time.monotonic() > end:
            raise ComparisonError(
                f"{server.name}: not ready after {START_LIMIT:.0f} s")
        time.sleep(0.1)


def peer_command(server: pathlib.Path, model: str, cores: Cores, work: Work,
                 port: int, flags: Sequence[str]) -> list[str]:
    longest = max(len(prompt) for prompt in work.prompts)
    context = work.clients * (longest + work.output_tokens + 16)
    return [str(server), "-m", model, "-t", str(cores.threads), "-np",
            str(work.clients), "-c", str(context), "--host", "127.0.0.1",
            "--port", str(port), *flags]


def measure_peer(server: pathlib.Path, model: str, cores: Cores, work: Work,
                 flags: Sequence[str]) -> dict[str, float]:
    """Starts the server, warms it up, and drives it."""
    port = free_port()
    command = peer_command(server, model, cores, work, port, flags)
    with serving(command, cores) as running:
        wait_healthy(running, port)
        drive(port, Work(work.prompts[:2], 4, 2))
        try:
            return drive(port, work)
        except ComparisonError:
            running.check()  # its end explains more
            raise


def trace_of(work: Work) -> str:
    """JSON lines for `sluice bench serve --trace`."""
    return "".join(
        json.dumps({"timestamp": 0, "output_length": work.output_tokens,
                    "prompt_tokens": list(prompt)}) + "\n"
        for prompt in work.prompts)


def parse_serve(text: str) -> dict[str, float]:
    """`sluice bench serve --json` -> the metrics that are compared."""
    try:
        report = json.loads(text)
        if report["failed"]:
            raise ComparisonError(f"sluiced: {report['failed']} requests failed")
        return {name: float(report[name]) for name in METRICS}
    except (ValueError, KeyError, TypeError):
        raise ComparisonError("sluice bench serve: cannot read its output: "
                              + last_lines(text)) from None


def wait_ready(sluice: pathlib.Path, server: Server, endpoint: str,
               cores: Cores) -> None:
    end = time.monotonic() + START_LIMIT
    while True:
        server.check()
        try:
            run([str(sluice), "health", "--endpoint", endpoint], cores, 30)
            return
        except ComparisonError:
            if time.monotonic() > end:
                raise
        time.sleep(0.1)


def measure_ours(sluice: pathlib.Path, model: str, cores: Cores, work: Work,
                 flags: Sequence[str]) -> dict[str, float]:
    """Starts sluiced beside sluice, and drives it over ZeroMQ."""
    with tempfile.TemporaryDirectory(prefix="compare-") as folder:
        endpoint = f"ipc://{folder}/control"
        trace = pathlib.Path(folder) / "prompts.jsonl"
        trace.write_text(trace_of(work), encoding="utf-8")
        command = [str(sluice.with_name("sluiced")), "--model.path", model,
                   "--daemon.control_endpoint", endpoint,
                   "--daemon.stream_endpoint", f"ipc://{folder}/streams",
                   "--executor.threads", str(cores.threads), *flags]
        with serving(command, cores) as running:
            wait_ready(sluice, running, endpoint, cores)
            load = [str(sluice), "bench", "serve", "--endpoint", endpoint,
                    "--trace", str(trace), "--concurrency", str(work.clients),
                    "--connections", str(work.clients), "--warmups", "2",
                    "--json"]
            try:
                return parse_serve(run(load, cores, RUN_LIMIT).stdout)
            except ComparisonError:
                running.check()
                raise
