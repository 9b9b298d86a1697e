"""Servers of the package under test: in this process (`serving`), or in one of their own (`Process`)."""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import aiohttp

from wslink import server as wslink_server
from wslink.websocket import ServerProtocol

from .package import GENERATIONS
from .peer import PEERS, SECRET


class Protocol(ServerProtocol):
    """A server protocol with a secret and the given link protocols."""

    def __init__(self, *links, secret=SECRET):
        self.links, self.first_secret = links, secret
        super().__init__()

    def initialize(self):
        for link in self.links:
            self.registerLinkProtocol(link)
        self.updateSecret(self.first_secret)


class Visit:
    """Connections to the server at a port of this machine; they end with the block."""

    def __init__(self, port, scheme=""):
        self.port, self.secure, self.open = port, scheme, []

    async def __aenter__(self):
        self.session = aiohttp.ClientSession()
        return self

    async def __aexit__(self, *_):
        for frames in self.open:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(frames.close(), 0.5)
        await self.session.close()

    def url(self, path="ws", scheme="ws"):
        return f"{scheme}{self.secure}://127.0.0.1:{self.port}/{path}"

    async def dial(self, generation=GENERATIONS[-1], route="ws", **options):
        """A connection that has not said hello yet."""
        frames = await self.session.ws_connect(self.url(route), max_msg_size=0, **options)
        self.open.append(frames)
        return PEERS[generation](frames)

    async def connect(self, generation=GENERATIONS[-1], route="ws", secret=SECRET, **options):
        """An authenticated connection."""
        peer = await self.dial(generation, route, **options)
        await peer.hello(secret)
        return peer

    def get(self, path, **options):
        return self.session.get(self.url(path, "http"), allow_redirects=False, **options)


class Running(Visit):
    """A visit to a server of this process, and the task that runs it."""

    def __init__(self, server, port, task, scheme=""):
        super().__init__(port, scheme)
        self.server, self.task = server, task


@contextlib.asynccontextmanager
async def serving(protocol=None, prepare=None, **config):
    """Run an aiohttp server for the protocol (route `ws`) until the block ends. `prepare(server)` runs before its start."""
    if protocol is not None:
        config.setdefault("ws", {"ws": protocol})
    config = {"host": "127.0.0.1", "port": 0, "timeout": 0, "handle_signals": False, **config}
    server = wslink_server.create_webserver(config)
    if prepare is not None:
        prepare(server)
    async with started(server) as running:
        yield running


@contextlib.asynccontextmanager
async def started(server, scheme=""):
    """Start a server in a task and stop it at the end, if the test has not done so."""
    port = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(server.start(port.set_result))
    await asyncio.wait([port, task], return_when=asyncio.FIRST_COMPLETED)
    if not port.done():
        await task
    try:
        async with Running(server, port.result(), task, scheme) as running:
            yield running
    finally:
        await stopped(server, task)


async def stopped(server, task):
    if not task.done():
        with contextlib.suppress(Exception):
            await asyncio.wait_for(server.stop(), 2)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


class Process:
    """A Python program of its own that prints what the test waits for."""

    def __init__(self, program, *arguments, environment=None):
        command = [sys.executable, "-u", *(["-c", program] if isinstance(program, str) else program), *arguments]
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("WSLINK_")}
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**inherited, **(environment or {})},
        )
        self.output = b""
        os.set_blocking(self.process.stdout.fileno(), False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def wait_for(self, text, patience=10):
        """Read until the output holds the text; the output."""
        deadline = time.monotonic() + patience
        while text.encode() not in self.output:
            ended = self.process.poll() is not None
            self.output += self.process.stdout.read() or b""
            if text.encode() in self.output:
                break
            assert not ended, f"ended with {self.process.returncode}: {self.output.decode()}"
            assert time.monotonic() < deadline, f"no {text!r} in: {self.output.decode()}"
            time.sleep(0.01)
        return self.output.decode()

    def end(self, patience=10):
        """Wait for the end; the exit code and the whole output."""
        code = self.process.wait(patience)
        self.output += self.process.stdout.read() or b""
        return code, self.output.decode()


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def write_site(folder: Path):
    """A folder with an index page and one below it."""
    (folder / "deep").mkdir(parents=True)
    (folder / "index.html").write_text("index")
    (folder / "deep" / "page.txt").write_text("page")
    return folder
