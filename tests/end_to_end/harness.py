# SPDX-License-Identifier: Apache-2.0
"""A daemon of one's own: what every end-to-end test and script starts from.

SLUICE_BIN names the folder that holds sluiced and sluice (default:
build/release/tools).
"""

import contextlib
import ctypes
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PYTHON_CLIENT = ROOT / "tools" / "python"
sys.path.insert(0, str(PYTHON_CLIENT))

import sluice  # noqa: E402 (the package of this tree)

MODELS = ROOT / "tests" / "models"
PEBBLE = MODELS / "pebble"
START_LIMIT = 120.0  # seconds; the machine may be busy
PATIENT = sluice.Timing(connect=60.0, reply=5.0, attempts=6)


def program(name):
    folder = os.environ.get("SLUICE_BIN", ROOT / "build" / "release" / "tools")
    path = pathlib.Path(folder) / name
    if not path.exists():
        sys.exit(f"{path} does not exist; build it or set SLUICE_BIN")
    return str(path)


def records(count=None):
    """Rows {custom_id, prompt, answer} that no model was trained on."""
    with open(MODELS / "records.jsonl", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return rows[:count]


def wait_until(condition, limit, what):
    """Polls until the condition holds; the limit is for hopeless cases."""
    end = time.monotonic() + limit
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"not within {limit} s: {what}")
        time.sleep(0.02)


def die_with_parent():
    """In a child before exec: a test that is killed leaves no daemon behind."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


class Daemon:
    """sluiced over ipc in a folder of its own, ended by its process id.

    options  flags of sluiced: {"scheduling.max_sequences": 4}
    binary   another program with the same flags
    """

    def __init__(self, model=PEBBLE, folder=None, binary="sluiced", **options):
        self._own = tempfile.TemporaryDirectory(prefix="sluice-")
        self.folder = folder or self._own.name
        self.endpoint = f"ipc://{self.folder}/control"
        self.log = os.path.join(self._own.name, "log")
        flags = {
            "model.path": model,
            "daemon.control_endpoint": self.endpoint,
            "daemon.stream_endpoint": f"ipc://{self.folder}/stream",
            "executor.threads": 1,
            "log.level": "warn",
        }
        flags.update(options.pop("options", {}))
        assert not options, options
        command = [program(binary)]
        for name, value in flags.items():
            command += [f"--{name}", str(value)]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                command,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=die_with_parent,
            )

    def wait_ready(self):
        """Returns when requests are served."""
        end = time.monotonic() + START_LIMIT
        while self.process.poll() is None and time.monotonic() < end:
            with contextlib.suppress(sluice.SluiceError):
                timing = sluice.Timing(connect=0.5)
                with self.client(timing=timing, reply_timeout=2) as client:
                    if client.health().state == "ready":
                        return self
        self.stop()
        raise AssertionError(f"the daemon did not start:\n{self.log_text()}")

    def client(self, timing=PATIENT, **settings):
        return sluice.Client(self.endpoint, timing=timing, **settings)

    def log_text(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()

    def resident_bytes(self):
        with open(f"/proc/{self.process.pid}/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    def stop(self, limit=60):
        """SIGTERM, then the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(limit)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def __enter__(self):
        return self.wait_ready()

    def __exit__(self, *_):
        self.stop()
        self._own.cleanup()


def series(stats, name):
    """The sum of a series over its labels; one that never counted is absent."""
    return sum(v for k, v in stats.items() if k.partition("{")[0] == name)


def pages_by_state(stats):
    """What the ledger says its pages are in use for: {"active": 3}."""
    name = "sluice_kv_pages{"
    return {
        key[len(name) :].split('"')[1]: int(value)
        for key, value in stats.items()
        if key.startswith(name)
    }


def all_pages_are_free(client):
    """True if nobody has a page, in memory or swapped, and there never was a
    discrepancy. The cache may keep some: that is no use of them."""
    stats = client.stats()
    if series(stats, "sluice_ledger_discrepancies_total") > 0:
        return False
    states = pages_by_state(stats)
    unused = series(stats, "sluice_kv_pages_free")
    unused += states.get("cached", 0) + states.get("pinned", 0)
    busy = ("active", "in_flight", "swapped")
    if any(states.get(state, 0) for state in busy):
        return False
    return unused == series(stats, "sluice_kv_pages_pool") > 0


def run_cli(*arguments, limit=300, **options):
    """`sluice ...` to its end, output as text."""
    return subprocess.run(
        [program("sluice"), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        timeout=limit,
        **options,
    )


def python_environment():
    """For child processes that use the client of this tree."""
    return {**os.environ, "PYTHONPATH": str(PYTHON_CLIENT)}
