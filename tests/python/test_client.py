# SPDX-License-Identifier: Apache-2.0
"""The synchronous client over real sockets, against a daemon of the tests."""

import os
import pickle
import tempfile
import time
import unittest

import sluice
from fake_daemon import FakeDaemon

QUICK = sluice.Timing(connect=20, reply=0.3, attempts=2, silence=0.05)


class ClientTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def daemon(self, **modes):
        daemon = FakeDaemon(self.folder, **modes)
        self.addCleanup(daemon.close)
        return daemon

    def client(self, daemon, timing=QUICK, **settings):
        settings.setdefault("timeout", 60)
        client = sluice.Client(daemon.endpoint, timing=timing, **settings)
        self.addCleanup(client.close)
        return client

    def test_generate(self):
        answer = self.client(self.daemon()).generate("one two three")
        self.assertEqual(answer.text, "onetwothree")
        self.assertEqual(answer.finish_reason, "stop_token")
        self.assertEqual(answer.receipt.total_time, 1.5)
        self.assertEqual(answer.tokens, (1, 1, 1))

    def test_stream_ends_with_finished(self):
        events = list(self.client(self.daemon()).stream("one two"))
        self.assertEqual([e.text for e in events], ["one", "two", "", ""])
        self.assertIsInstance(events[-1], sluice.Finished)

    def test_chunks_that_were_never_published_are_replayed(self):
        client = self.client(self.daemon(publish=False))
        self.assertEqual(client.generate("a b c").text, "abc")

    def test_several_streams_at_once(self):
        client = self.client(self.daemon())
        streams = [client.stream(f"s {i}") for i in range(20)]
        texts = ["".join(e.text for e in s) for s in reversed(streams)]
        self.assertEqual(texts, [f"s{i}" for i in reversed(range(20))])

    def test_closing_a_stream_cancels_it(self):
        daemon = self.daemon(endless=True)
        with self.client(daemon).stream("one two") as stream:
            self.assertEqual(next(stream).text, "one")
        self.assertTrue(daemon.cancelled.wait(10))
        self.assertEqual(list(stream), [])

    def test_dropping_a_stream_cancels_it(self):
        daemon = self.daemon(endless=True)
        client = self.client(daemon)
        next(client.stream("one two"))
        self.assertTrue(daemon.cancelled.wait(10))

    def test_cancel_and_health_answer(self):
        client = self.client(self.daemon(endless=True))
        stream = client.stream("one")
        next(stream)
        self.assertTrue(client.cancel(stream.request_id))
        self.assertFalse(client.cancel(sluice.new_request_id()))
        health = client.health()
        self.assertEqual((health.state, health.running), ("ready", 2))

    def test_a_stream_that_never_ends_times_out(self):
        daemon = self.daemon(endless=True)
        client = self.client(daemon)
        with self.assertRaises(sluice.Timeout):
            client.generate("one", timeout=0.2)
        self.assertTrue(daemon.cancelled.wait(10))

    def test_no_daemon(self):
        endpoint = f"ipc://{self.folder}/none.sock"
        client = sluice.Client(endpoint, timing=sluice.Timing(connect=0.05))
        with self.assertRaises(sluice.NoDaemon):
            client.health()
        client.close()

    def test_a_client_travels_by_pickle_and_works_again_when_closed(self):
        client = self.client(self.daemon(), tenant="acme")
        self.assertEqual(client.generate("a").text, "a")
        copy = pickle.loads(pickle.dumps(client))
        self.assertEqual(copy.settings.tenant, "acme")
        self.assertEqual(copy.generate("b").text, "b")
        copy.close()
        self.assertEqual(copy.generate("c").text, "c")
        copy.close()

    def test_a_forked_child_has_a_connection_of_its_own(self):
        client = self.client(self.daemon())
        self.assertEqual(client.generate("a").text, "a")
        child = os.fork()
        if child == 0:
            good = client.generate("b").text == "b"
            client.close()
            os._exit(0 if good else 1)
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        self.assertEqual(client.generate("c").text, "c")

    def test_a_restart_before_the_first_chunk_goes_unnoticed(self):
        old = self.daemon(deaf=True)
        client = self.client(old)
        old.deaf = False
        client.health()
        old.deaf = True
        stream = client.stream("one two")
        old.close()
        new = self.daemon(epoch=8)
        text = "".join(event.text for event in stream)
        self.assertEqual(text, "onetwo")
        self.assertTrue(new.submitted.is_set())


class AsyncClientTest(unittest.IsolatedAsyncioTestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def daemon(self, **modes):
        daemon = FakeDaemon(self.folder, **modes)
        self.addCleanup(daemon.close)
        return daemon

    def client(self, daemon, timing=QUICK):
        return sluice.AsyncClient(daemon.endpoint, timing=timing)

    async def test_many_at_once(self):
        import asyncio

        async with self.client(self.daemon()) as client:
            work = [client.generate(f"s {i}") for i in range(20)]
            answers = await asyncio.gather(*work)
        self.assertEqual([a.text for a in answers], [f"s{i}" for i in range(20)])

    async def test_stream_and_replay(self):
        async with self.client(self.daemon(publish=False)) as client:
            texts = [event.text async for event in client.stream("a b")]
        self.assertEqual(texts, ["a", "b", "", ""])

    async def test_leaving_a_stream_cancels_it(self):
        daemon = self.daemon(endless=True)
        async with self.client(daemon) as client:
            async with client.stream("one two") as stream:
                async for _ in stream:
                    break
            self.assertFalse(await client.cancel(sluice.new_request_id()))
        self.assertTrue(daemon.cancelled.is_set())

    async def test_closing_amid_streams_is_quiet(self):
        import asyncio

        complaints = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, what: complaints.append(what))
        client = self.client(self.daemon(endless=True))
        streams = [client.stream("one two") for _ in range(4)]
        for stream in streams:
            await stream.__anext__()
        asked = asyncio.ensure_future(client.health())
        await asyncio.sleep(0)
        time.sleep(0.1)  # its answer comes, and is not read
        await client.close()
        await asyncio.sleep(0.05)
        asked.cancel()
        self.assertEqual(complaints, [])

    async def test_timeout_and_no_daemon(self):
        async with self.client(self.daemon(endless=True)) as client:
            with self.assertRaises(sluice.Timeout):
                await client.generate("one", timeout=0.2)
            self.assertEqual((await client.health()).state, "ready")
        nobody = sluice.AsyncClient(
            f"ipc://{self.folder}/none", timing=sluice.Timing(connect=0.05)
        )
        async with nobody:
            with self.assertRaises(sluice.NoDaemon):
                await nobody.health()


if __name__ == "__main__":
    unittest.main()
