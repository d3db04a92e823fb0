# SPDX-License-Identifier: Apache-2.0
"""Programs that are run on given cores and never left behind."""

from __future__ import annotations

import contextlib
import ctypes
import os
import pathlib
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass


PR_SET_PDEATHSIG = 1


class ComparisonError(Exception):
    """What went wrong, in one line for the user."""


@dataclass(frozen=True)
class Cores:
    """Where both engines compute: one thread on each of these CPUs."""

    cpus: tuple[int, ...]

    @property
    def threads(self) -> int:
        return len(self.cpus)

    def bind(self) -> None:
        """In a child before exec; it ends with its parent, whatever happens."""
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        os.sched_setaffinity(0, self.cpus)

    def environment(self) -> dict[str, str]:
        """For programs that compute with OpenMP: a core for each thread."""
        places = ",".join(f"{{{cpu}}}" for cpu in self.cpus)
        return os.environ | {"OMP_PLACES": places, "OMP_PROC_BIND": "close"}


def first_cores(threads: int) -> Cores:
    """The first CPUs that this process may use; 0: all of them."""
    allowed = sorted(os.sched_getaffinity(0))
    if threads > len(allowed):
        raise ComparisonError(f"{threads} threads, but only {len(allowed)} CPUs")
    return Cores(tuple(allowed[: threads or len(allowed)]))


def program(path: str) -> pathlib.Path:
    """A program that exists and can be run."""
    found = pathlib.Path(path).resolve()
    if not found.is_file():
        raise ComparisonError(f"{path}: there is no such program")
    if not os.access(found, os.X_OK):
        raise ComparisonError(f"{path}: it cannot be executed")
    return found


def last_lines(text: str, count: int = 5) -> str:
    """The end of a log, in one line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " / ".join(lines[-count:]) or "it printed nothing"


@dataclass(frozen=True)
class Output:
    stdout: str
    stderr: str


def run(command: Sequence[str], cores: Cores, limit: float) -> Output:
    """Runs a program to its end, in a folder of its own.

    Raises ComparisonError if it fails, is killed or takes too long.
    """
    name = pathlib.Path(command[0]).name
    with tempfile.TemporaryDirectory(prefix="compare-") as folder:
        try:
            done = subprocess.run(
                command, cwd=folder, env=cores.environment(), timeout=limit,
                preexec_fn=cores.bind, capture_output=True, text=True,
                errors="replace", check=False)
        except subprocess.TimeoutExpired:
            raise ComparisonError(
                f"{name}: no end after {limit:.0f} s; it was killed") from None
        except OSError as error:
            raise ComparisonError(f"{name}: {error}") from None
    if done.returncode != 0:
        raise ComparisonError(
            f"{name}: {describe_end(done.returncode)}: {last_lines(done.stderr)}")
    return Output(done.stdout, done.stderr)


def describe_end(code: int) -> str:
    """'exit code 1', or 'killed by SIGSEGV'."""
    if code >= 0:
        return f"exit code {code}"
    with contextlib.suppress(ValueError):
        return f"killed by {signal.Signals(-code).name}"
    return f"killed by signal {-code}"


class Server:
    """A program that runs until it is stopped, with its log in a file."""

    def __init__(self, command: Sequence[str], cores: Cores, folder: str):
        self.name = pathlib.Path(command[0]).name
        self._log = pathlib.Path(folder) / f"{self.name}.log"
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(
                command, cwd=folder, env=cores.environment(),
                preexec_fn=cores.bind, stdout=log, stderr=subprocess.STDOUT)

    @property
    def pid(self) -> int:
        return self._process.pid

    def check(self) -> None:
        """Raises ComparisonError if it has ended."""
        code = self._process.poll()
        if code is not None:
            text = self._log.read_text(encoding="utf-8", errors="replace")
            raise ComparisonError(
                f"{self.name}: {describe_end(code)}: {last_lines(text)}")

    def stop(self, patience: float = 20) -> None:
        """Ends it by its process id: kindly, then not."""
        if self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@contextlib.contextmanager
def serving(command: Sequence[str], cores: Cores) -> Iterator[Server]:
    """A server for as long as the block runs."""
    with tempfile.TemporaryDirectory(prefix="compare-") as folder:
        server = Server(command, cores, folder)
        try:
            yield server
        finally:
            server.stop()
