"""Small raw clients for both wire generations, independent of the package under test.

They know the wire and nothing else: what a browser with a released client would send, byte for byte, and nothing is
checked that the test does not ask for.
"""

import asyncio
import json
import struct

import aiohttp
import msgpack

from tests.messages import ATTACHMENT, Attachments, Chunks, chunks, rebuilt

SECRET = "wslink-secret"

#: How long a peer waits for a message that should come.
PATIENCE = 5


class Failure(Exception):
    """The server answered a call with an error."""

    def __init__(self, error):
        super().__init__(error)
        self.code, self.message, self.data = error["code"], error["message"], error.get("data")


class Closed(Exception):
    """The connection ended while a message was awaited."""


async def soon(awaitable, what, seconds=1):
    """The awaitable's value; a failed test if it takes longer, which says what did not happen."""
    try:
        return await asyncio.wait_for(asyncio.ensure_future(awaitable), seconds)
    except asyncio.TimeoutError:
        raise AssertionError(f"not within {seconds} s: {what}") from None


class Peer:
    """One connection. Subclasses encode and decode a generation; connect() makes them."""

    def __init__(self, frames):
        self.frames = frames
        self.client_id = None
        self.unclaimed = []
        self.sent = 0

    # -- calls and publications ------------------------------------------------------------------

    async def hello(self, secret=SECRET, **more):
        """Authenticate; the result, or Failure."""
        result = result_of(await self.ask("system:c0:0", "wslink.hello", [{"secret": secret, **more}]))
        self.client_id = result["clientID"]
        return result

    async def call(self, method, *args, **kwargs):
        """Call a method and wait for its result, or Failure."""
        return result_of(await self.answer(await self.post(method, *args, **kwargs)))

    async def post(self, method, *args, **kwargs):
        """Call a method and return the call's id at once."""
        self.sent += 1
        call_id = f"rpc:{self.client_id}:{self.sent}"
        await self.send(envelope(call_id, method, list(args), kwargs))
        return call_id

    async def ask(self, call_id, method, args):
        await self.send(envelope(call_id, method, args, {}))
        return await self.answer(call_id)

    async def answer(self, call_id):
        """The message that answers this call; others that arrive before it wait in `unclaimed`."""
        return await self.claim(lambda message: message.get("id") == call_id)

    async def publication(self, topic):
        """The payload of the next publication of the topic."""
        message = await self.claim(lambda message: str(message.get("id")).startswith(f"publish:{topic}:"))
        return result_of(message)

    async def publications(self, count, topic):
        return [await self.publication(topic) for _ in range(count)]

    async def claim(self, wanted):
        for position, message in enumerate(self.unclaimed):
            if wanted(message):
                return self.unclaimed.pop(position)
        while not wanted(message := await self.receive()):
            self.unclaimed.append(message)
        return message

    async def everything(self, method, *args):
        """Every message so far: those that arrive before the answer to a last call of the method."""
        last = await self.post(method, *args)
        await self.answer(last)
        messages, self.unclaimed = self.unclaimed, []
        return messages

    # -- messages and frames ---------------------------------------------------------------------

    async def send(self, message):
        raise NotImplementedError

    async def receive(self):
        """The next message."""
        raise NotImplementedError

    async def frame(self):
        message = await asyncio.wait_for(self.frames.receive(), PATIENCE)
        if message.type not in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
            raise Closed(self.frames.close_code)
        return message.data

    async def ended(self):
        """Wait until the server closes; the close code."""
        while not self.frames.closed:
            await asyncio.wait_for(self.frames.receive(), PATIENCE)
        return self.frames.close_code

    async def close(self):
        await self.frames.close()


class FirstGeneration(Peer):
    """JSON text with binary attachments."""

    def __init__(self, frames):
        super().__init__(frames)
        self.keys = 0
        self.incoming = Attachments()

    @property
    def attachments_seen(self):
        return self.incoming.count

    async def send(self, message):
        attachments = {}
        text = json.dumps(self.without_bytes(message, attachments))
        for key, value in attachments.items():
            await self.frames.send_str(json.dumps(header(key)))
            await self.frames.send_bytes(value)
        await self.frames.send_str(text)

    def without_bytes(self, value, attachments):
        if isinstance(value, bytes):
            self.keys += 1
            attachments[f"wslink_bin{self.keys}"] = value
            return f"wslink_bin{self.keys}"
        return rebuilt(value, lambda part: self.without_bytes(part, attachments))

    async def receive(self):
        while True:
            message = self.incoming.add(await self.frame())
            if message is not None:
                return message


class SecondGeneration(Peer):
    """Chunked MessagePack."""

    def __init__(self, frames, chunk_size=512 * 1024):
        super().__init__(frames)
        self.chunk_size = chunk_size
        self.incoming = Chunks()

    async def send(self, message):
        for chunk in chunks(msgpack.packb(message), self.chunk_size):
            await self.frames.send_bytes(chunk)

    async def receive(self):
        while True:
            message = self.incoming.add(await self.frame())
            if message is not None:
                return message


class RawSocket:
    """A websocket by hand, to see frames as they are: compressed or not."""

    @classmethod
    async def dial(cls, port, *headers):
        self = cls()
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", port, limit=2**26)
        lines = [
            "GET /ws HTTP/1.1",
            f"Host: 127.0.0.1:{port}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==",
            *headers,
        ]
        self.writer.write("\r\n".join([*lines, "", ""]).encode())
        self.answer = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        return self

    def send_frame(self, first_byte, payload):
        """A masked frame; the mask is zero, so the payload goes as it is."""
        size = len(payload)
        length = bytes([0x80 | size]) if size < 126 else struct.pack("!BH", 0x80 | 126, size)
        self.writer.write(bytes([first_byte]) + length + bytes(4) + payload)

    async def frame(self):
        """The first byte (FIN, RSV1 to 3, opcode) and the payload of the next frame."""
        first, length = await asyncio.wait_for(self.reader.readexactly(2), PATIENCE)
        if length == 126:
            (length,) = struct.unpack("!H", await self.reader.readexactly(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", await self.reader.readexactly(8))
        return first, await asyncio.wait_for(self.reader.readexactly(length), PATIENCE)

    def close(self):
        self.writer.transport.abort()


PEERS = {"first": FirstGeneration, "second": SecondGeneration}


def envelope(call_id, method, args, kwargs):
    return {"wslink": "1.0", "id": call_id, "method": method, "args": args, "kwargs": kwargs}


def header(*keys):
    return {"wslink": "1.0", "method": ATTACHMENT, "args": list(keys)}


def result_of(message):
    if "error" in message:
        raise Failure(message["error"])
    return message["result"]
