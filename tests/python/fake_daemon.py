# SPDX-License-Identifier: Apache-2.0
"""A daemon's sockets without a model: answers each Submit with its prompt's
words, one a chunk. A thread of the tests; the client knows nothing of it."""

import threading

import fake_frames as fake
import zmq
from sluice import frames


class FakeDaemon:
    """Serves at ipc endpoints in `folder` until closed.

    publish  False: chunks reach clients by Replay alone
    endless  streams have no end
    deaf     reads nothing and answers nothing
    """

    def __init__(self, folder, epoch=7, **modes):
        self.endpoint = f"ipc://{folder}/control.sock"
        self.stream_endpoint = f"ipc://{folder}/streams.sock"
        self.epoch = epoch
        self.publish = modes.pop("publish", True)
        self.endless = modes.pop("endless", False)
        self.deaf = modes.pop("deaf", False)
        assert not modes, modes
        self.heard = []  # (name, request id)
        self.submitted = threading.Event()
        self.cancelled = threading.Event()
        self._chunks = {}
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        self._ready.wait()

    def close(self):
        self._stop.set()
        self._thread.join()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _serve(self):
        context = zmq.Context()
        self._control = context.socket(zmq.ROUTER)
        self._streams = context.socket(zmq.XPUB)
        for socket in (self._control, self._streams):
            # Before bind: connections take it from there. One that is closing
            # while its reply waits would else keep the context for ever.
            socket.setsockopt(zmq.LINGER, 0)
        self._control.bind(self.endpoint)
        self._streams.bind(self.stream_endpoint)
        self._ready.set()
        while not self._stop.is_set():
            if self._control.poll(20) and not self.deaf:
                peer, data = self._control.recv_multipart()
                self._answer(peer, data)
        context.destroy()

    def _answer(self, peer, data):
        name, message = frames.parse(data)
        topic = frames.topic_of(message.id) if hasattr(message, "id") else ""
        self.heard.append((name, topic))
        for reply in getattr(self, "_on_" + name.lower())(topic, message):
            self._control.send_multipart([peer, reply])

    def _on_hello(self, _topic, _message):
        return [fake.hello(self.epoch, self.stream_endpoint, models=["fake"])]

    def _on_submit(self, topic, message):
        self.submitted.set()
        words = frames.text_of(message.prompt).split(" ")
        head = {"epoch": self.epoch, "tenant": message.tenant}
        chunks = fake.stream(topic, *words, **head)
        self._chunks[topic] = chunks[:-2] if self.endless else chunks
        for chunk in self._chunks[topic] if self.publish else ():
            self._streams.send_multipart([topic.encode(), chunk])
        return [fake.accepted(topic, self.epoch, nextSeq=len(chunks))]

    def _on_replay(self, topic, message):
        chunks = self._chunks.get(topic)
        if chunks is None:
            return [fake.gap(topic, 0, 0)]
        last = fake.replayed(topic, len(chunks), not self.endless)
        return chunks[message.fromSeq :] + [last]

    def _on_cancel(self, topic, _message):
        self.cancelled.set()
        return [fake.cancelled(topic, topic in self._chunks)]

    def _on_query(self, _topic, message):
        return [fake.health(message.correlation)]
