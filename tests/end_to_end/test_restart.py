# SPDX-License-Identifier: Apache-2.0
"""A daemon whose device is lost in the midst of its work: streams pause and then
go on, byte for byte as those of a daemon that had no such luck."""

import asyncio
import random
import unittest

import harness
import schedules
import sluice

RESTARTS = "sluice_executor_restarts_total"


def lossy(options, **losses):
    """Losses are flags of sluiced-lossy: lose="5,9", stillborn=100."""
    return harness.Daemon(
        options={**options, **losses}, binary="sluiced-lossy"
    )


class RestartTest(unittest.TestCase):
    """Requests of every kind, at once, on pools of plenty and of too little."""

    COUNT = 40
    SETTINGS = (
        {"memory.kv_bytes": "64MiB"},
        {"memory.kv_bytes": "6MiB", "memory.swap_bytes": 0},
        {"memory.kv_bytes": "6MiB", "memory.swap_bytes": "64MiB"},
        {"memory.prefix_cache": "false", "scheduling.pipeline_depth": 4},
    )

    def setUp(self):
        self.asks = schedules.make_set(random.Random(3), self.COUNT)

    def run_all(self, daemon):
        work = schedules.run_all(daemon.endpoint, self.asks, 32, {})
        return asyncio.run(work)

    def test_streams_are_those_of_a_daemon_that_was_spared(self):
        with harness.Daemon(options=self.SETTINGS[0]) as daemon:
            calm = self.run_all(daemon)
        self.assertTrue(all(calm))
        for number, settings in enumerate(self.SETTINGS):
            steps = (3 + number, 30 + number, 60, 90)
            lose = ",".join(map(str, steps))
            with lossy(settings, lose=lose) as daemon:
                found = self.run_all(daemon)
                with daemon.client() as client:
                    free = lambda: harness.all_pages_are_free(client)  # noqa
                    harness.wait_until(free, 60, "every KV page is free")
                    stats = client.stats()
                    self.assertEqual(client.health().state, "ready")
                log = daemon.log_text()
            for ask, want, got in zip(self.asks, calm, found):
                self.assertEqual(got, want, f"{settings}: {ask}")
            self.assertEqual(harness.series(stats, RESTARTS), len(steps))
            self.assertEqual(log.count("the device is lost"), len(steps), log)
            self.assertEqual(log.count("the device is back"), len(steps), log)

    def test_a_device_that_stays_broken_ends_the_daemon(self):
        prompt = harness.records(1)[0]["prompt"]
        with lossy({}, lose="6", stillborn=100) as daemon:
            with daemon.client() as client:
                calls = [
                    client.stream(prompt, ignore_eos=True, max_tokens=100)
                    for _ in range(4)
                ]
                harness.wait_until(
                    lambda: client.health().state == "recovering",
                    60,
                    "health says that it recovers",
                )
                self.assertIn("broken, too", client.health().text)
                for call in calls:
                    with self.assertRaises(sluice.Failed) as caught:
                        list(call)
                    self.assertEqual(caught.exception.code, "executor_failed")
            self.assertEqual(daemon.process.wait(60), 1)
            self.assertIn("executor.device", daemon.log_text())


if __name__ == "__main__":
    unittest.main()
