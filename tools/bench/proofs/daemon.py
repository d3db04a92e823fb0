# SPDX-License-Identifier: Apache-2.0
"""A daemon for one measurement: started on ipc, asked over it, ended."""

from __future__ import annotations

import contextlib
import os
import pathlib
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from comparison.processes import (ComparisonError, Cores, Server, first_cores,
                                  serving)

from . import outcome
import sluice

START_LIMIT = 300.0  # seconds; the machine may be busy
SETTLE_LIMIT = 120.0
PATIENT = sluice.Timing(connect=60.0, reply=5.0, attempts=6)


@dataclass(frozen=True)
class Setup:
    """What every daemon of a proof has in common.

    threads   that compute; the other CPUs are for clients and actors
    options   of sluiced, by name, that override those of the proof
    """

    sluice: pathlib.Path
    model: str
    threads: int
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def cores(self) -> Cores:
        """All of them: the daemon's actors may run anywhere."""
        return first_cores(0)


class Daemon:
    """A daemon that serves.

    endpoint  of its control socket
    """

    def __init__(self, server: Server, endpoint: str) -> None:
        self._server = server
        self.endpoint = endpoint

    @property
    def pid(self) -> int:
        return self._server.pid

    def client(self, **settings: Any) -> sluice.Client:
        return sluice.Client(self.endpoint, timing=PATIENT, **settings)

    def async_client(self, **settings: Any) -> sluice.AsyncClient:
        settings.setdefault("timeout", 3600.0)
        return sluice.AsyncClient(self.endpoint, timing=PATIENT, **settings)

    def check(self) -> None:
        """Raises ComparisonError with the log's end if it has ended."""
        self._server.check()

    def resident_bytes(self) -> int:
        with open(f"/proc/{self.pid}/statm",
                  encoding="ascii") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    def stats(self) -> dict[str, float]:
        with self.client() as client:
            return client.stats()

    def model(self) -> sluice.Model:
        with self.client() as client:
            return client.models()[0]

    def wait_ready(self) -> None:
        end = time.monotonic() + START_LIMIT
        timing = sluice.Timing(connect=1.0)
        while time.monotonic() < end:
            self.check()
            with contextlib.suppress(sluice.SluiceError):
                with sluice.Client(self.endpoint, timing=timing,
                                   reply_timeout=2) as client:
                    if client.health().state == "ready":
                        return
        raise ComparisonError(f"sluiced: not ready in {START_LIMIT:.0f} s")


def command_of(setup: Setup, folder: str,
               options: Mapping[str, Any]) -> list[str]:
    flags = {"model.path": setup.model, "executor.threads": setup.threads,
             "daemon.control_endpoint": f"ipc://{folder}/control",
             "daemon.stream_endpoint": f"ipc://{folder}/streams",
             "log.level": "warn", **options, **setup.options}
    command = [str(setup.sluice.with_name("sluiced"))]
    for name, value in flags.items():
        command += [f"--{name}", str(value)]
    return command


@contextlib.contextmanager
def running(setup: Setup, **options: Any) -> Iterator[Daemon]:
    """A daemon for as long as the block runs; memory__kv_bytes="1GiB" is
    --memory.kv_bytes 1GiB."""
    named = {name.replace("__", "."): value for name, value in options.items()}
    with tempfile.TemporaryDirectory(prefix="sluice-proof-") as folder:
        command = command_of(setup, folder, named)
        with serving(command, setup.cores) as server:
            daemon = Daemon(server, f"ipc://{folder}/control")
            daemon.wait_ready()
            yield daemon


def series(stats: Mapping[str, float], name: str) -> float:
    """The sum of a series over its labels; one that never counted is 0."""
    return sum(value for key, value in stats.items()
               if key.partition("{")[0] == name)


def pages_in(stats: Mapping[str, float], state: str) -> float:
    """KV pages in a state, of daemons that tell; else 0."""
    return sum(value for key, value in stats.items()
               if key.startswith("sluice_kv_pages{")
               and f'state="{state}"' in key)


def pages_in_use(stats: Mapping[str, float]) -> float:
    """Pages that are neither free nor kept for later requests."""
    idle = series(stats, "sluice_kv_pages_free")
    idle += pages_in(stats, "cached") + pages_in(stats, "pinned")
    return series(stats, "sluice_kv_pages_pool") - idle


def require_clean(daemon: Daemon, found: outcome.Outcome) -> None:
    """All pages come back, with no discrepancy ever; waits for it."""
    end = time.monotonic() + SETTLE_LIMIT
    stats = daemon.stats()
    while pages_in_use(stats) > 0 and time.monotonic() < end:
        time.sleep(0.05)
        stats = daemon.stats()
    found.require(pages_in_use(stats) == 0,
                  f"{pages_in_use(stats):.0f} KV pages never came back")
    bad = series(stats, "sluice_ledger_discrepancies_total")
    found.require(bad == 0, f"the ledger found {bad:.0f} discrepancies")
