"""Places where others meet: a relay process, and a place where reverse servers arrive."""

import asyncio
import contextlib

from aiohttp import web

from .package import GENERATIONS
from .peer import PEERS
from .serving import Process, Visit, free_port


class Relay:
    def __init__(self, *arguments, environment=None):
        self.port = free_port()
        command = ["-m", "wslink.relay", "--host", "127.0.0.1", "--port", str(self.port)]
        self.process = Process(command, *arguments, environment=environment)

    async def __aenter__(self):
        self.process.__enter__()
        self.visit = await Visit(self.port).__aenter__()
        while True:
            with contextlib.suppress(OSError):
                (await asyncio.open_connection("127.0.0.1", self.port))[1].close()
                return self
            assert self.process.process.poll() is None
            await asyncio.sleep(0.02)

    async def __aexit__(self, *_):
        await self.visit.__aexit__()
        self.process.__exit__()

    def url(self, path):
        return self.visit.url(path)

    async def dial(self, path, generation=GENERATIONS[-1]):
        return await self.visit.dial(generation, path)


class Meeting:
    """A place where reverse servers arrive; the test is the client behind it."""

    async def __aenter__(self):
        self.arrivals, self.leave = asyncio.Queue(), asyncio.Event()
        app = web.Application()
        app.add_routes([web.get("/ws", self.arrive)])
        self.runner = web.AppRunner(app)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        self.url = f"ws://127.0.0.1:{self.runner.addresses[0][1]}/ws"
        return self

    async def arrive(self, request):
        frames = web.WebSocketResponse(max_msg_size=0)
        await frames.prepare(request)
        self.arrivals.put_nowait(frames)
        await self.leave.wait()
        return frames

    async def peer(self, generation=GENERATIONS[-1]):
        """The next server that arrives."""
        return PEERS[generation](await self.arrivals.get())

    async def __aexit__(self, *_):
        self.leave.set()
        await self.runner.cleanup()
