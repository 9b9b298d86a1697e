"""The released API: wslink 1.12.4, wslink 2.6.0, and ours under the same names."""

from __future__ import annotations

import asyncio

import common

from wslink import register, server
from wslink.websocket import LinkProtocol, ServerProtocol

options = common.options()


class Bench(LinkProtocol):
    @register("bench.add")
    def add(self, a, b, c):
        return a + b + c

    @register("bench.publish")
    async def send(self, size, count=1):
        payload = common.binary(size)
        for _ in range(count):
            self.publish(common.TOPIC, self.addAttachment(payload))
            await asyncio.sleep(0)

    @register("bench.array")
    async def array(self, size, count=1):
        import numpy

        values = numpy.frombuffer(common.binary(size), "<f4")
        for _ in range(count):
            self.publish(common.TOPIC, self.addAttachment(memoryview(values).cast("B")))
            await asyncio.sleep(0)

    @register("bench.stream")
    async def stream(self, size, rate, count):
        asyncio.get_running_loop().create_task(self._stream(size, rate, count))

    async def _stream(self, size, rate, count):
        loop = asyncio.get_running_loop()
        begin = loop.time()
        for index in range(count):
            self.publish(common.TOPIC, self.addAttachment(common.binary(size)))
            await asyncio.sleep(max(0.0, begin + (index + 1) / rate - loop.time()))

    @register("bench.frames")
    async def frames(self, size, rate, seconds):
        self.running = asyncio.get_running_loop().create_task(self._render(size, rate, seconds))

    async def _render(self, size, rate, seconds):
        loop = asyncio.get_running_loop()
        begin = loop.time()
        for index in range(int(rate * seconds)):
            self.publish(common.TOPIC, self.addAttachment(common.stamped(size)))
            await asyncio.sleep(max(0.0, begin + (index + 1) / rate - loop.time()))

    @register("bench.binary")
    def result_binary(self, size):
        return self.addAttachment(common.binary(size))

    @register("bench.text")
    def result_text(self, size):
        return common.text(size)

    @register("bench.take")
    def take(self, data):
        return len(data)

    @register("bench.count_encodings")
    def count_encodings(self):
        payload = common.Counted()
        self.publish(common.TOPIC, payload)
        return payload.readings


class Server(ServerProtocol):
    def initialize(self):
        self.registerLinkProtocol(Bench())
        self.updateSecret(common.SECRET)


if __name__ == "__main__":
    server.start(["--host", "127.0.0.1", "--port", str(options.port), "--content", "", "--timeout", "0"], Server)
