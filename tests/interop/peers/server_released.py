"""The server's side of the interoperability cases in the released API: runs on wslink 1.12.4, 2.6.0 and ours."""

import asyncio
import math
import sys

from wslink import register, server
from wslink.websocket import LinkProtocol, ServerProtocol


class Cases(LinkProtocol):
    @register("interop.add")
    def add(self, a, b, c=0):
        return a + b + c

    @register("interop.echo")
    def echo(self, value=None):
        return self.attached(value)

    @register("interop.fail")
    def fail(self):
        raise ValueError("meant to fail")

    @register("interop.unserialisable")
    def unserialisable(self):
        return object()

    @register("interop.numbers")
    def numbers(self):
        return [math.nan, math.inf, -math.inf, 0.5]

    @register("interop.bytes")
    def some_bytes(self, size):
        return {"deep": [{"data": self.addAttachment(bytes(range(256)) * (size // 256))}], "size": size}

    @register("interop.size")
    def size_of(self, value):
        data = value["deep"][0]
        return [len(data), sum(data[:1000])]

    @register("interop.publish")
    def publish_some(self, count):
        for n in range(count):
            self.publish("interop.news", {"n": n, "data": self.addAttachment(bytes([n]) * 3)})
        return "published"

    @register("interop.slow")
    async def slow(self, seconds):
        await asyncio.sleep(seconds)
        return "slept"

    def attached(self, value):
        if isinstance(value, bytes):
            return self.addAttachment(value)
        if isinstance(value, list):
            return [self.attached(item) for item in value]
        if isinstance(value, dict):
            return {key: self.attached(item) for key, item in value.items()}
        return value


class Server(ServerProtocol):
    def initialize(self):
        self.registerLinkProtocol(Cases())
        self.updateSecret("interop")


if __name__ == "__main__":
    port = sys.argv[1]
    server.start(["--host", "127.0.0.1", "--port", port, "--timeout", "0"], protocol=Server)
