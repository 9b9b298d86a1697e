"""The released server, 2.6.0, with the methods that server.test.ts calls. Prints its port."""

import argparse
import asyncio
import sys

from wslink import register, server
from wslink.websocket import LinkProtocol, ServerProtocol


class Methods(LinkProtocol):
    @register("test.add")
    def add(self, a, b=1):
        return a + b

    @register("test.echo")
    def echo(self, value):
        return value

    @register("test.fail")
    def fail(self):
        raise ValueError("no way")

    @register("test.unserializable")
    def unserializable(self):
        return object()

    @register("test.zeros")
    def zeros(self, size):
        return bytes(size)

    @register("test.length")
    def length(self, data):
        return len(data)

    @register("test.keys")
    def keys(self, kind):
        return {{"bool": True, "none": None, "bytes": b"k", "tuple": (1, 2), "int": 1, "float": 1.5}[kind]: "value"}

    @register("test.nested")
    def nested(self, depth):
        value = 0
        for _ in range(depth):
            value = [value]
        return value

    @register("test.sleep")
    async def sleep(self, seconds):
        await asyncio.sleep(seconds)

    @register("test.publish")
    def publish_numbers(self, count, size=0):
        for number in range(count):
            self.publish("test.numbers", {"number": number, "data": bytes(size)})
        return "published"


class Server(ServerProtocol):
    def initialize(self):
        self.registerLinkProtocol(Methods())
        self.updateSecret("s3cret")

    def port_callback(self, port):
        sys.stdout.write(f"port {port}\n")
        sys.stdout.flush()


parser = argparse.ArgumentParser()
server.add_arguments(parser)
server.start_webserver(parser.parse_args(["--port", "0", "--host", "127.0.0.1"]), Server)
