"""Records what a real container engine answers while a launcher follows the recipe of docs/launcher.md:

    python -m tests.deployment.recording ENGINE_HOST ENGINE_PORT docker FILE

There has to be an image `viewer-image` with a program `viewer`, and the ports that containers publish have to be
reached from here. tests/deployment/recorded/README.md says how the files there were made.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from tests.deployment.replay import nameless, normal, recipe
from tests.launcher.support import launching
from tests.waiting import until

KEPT = ("Content-Type", "Api-Version", "Server", "Ostype", "Docker-Experimental", "Libpod-Api-Version")


class Recorder:
    """A proxy between a client and its engine. Answers are noted under `state`; the last of a kind counts.

    Args:
        headers: what the engine is told besides, such as who asks.
    """

    def __init__(self, engine: str, headers: Mapping[str, str] | None = None) -> None:
        self.engine, self.state = engine, "running"
        self._headers = {"Accept-Encoding": "identity", **(headers or {})}
        self.answers: dict[str, dict[str, Any]] = {}
        self.names: dict[str, str] = {}

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body, state = await request.read(), self.state
        given = {name: value for name, value in request.headers.items() if name in ("Content-Type", "Accept")}
        headers = {**given, **self._headers}
        async with aiohttp.ClientSession(auto_decompress=False, timeout=aiohttp.ClientTimeout(None)) as http:
            url = f"{self.engine}{request.path_qs}"
            async with http.request(request.method, url, data=body or None, headers=headers, ssl=False) as told:
                kept = {name: told.headers[name] for name in KEPT if name in told.headers}
                answer = web.StreamResponse(status=told.status, headers=kept)
                noted = b""
                await answer.prepare(request)
                self.note(request, state, told.status, kept, noted)
                async for piece in told.content.iter_any():
                    noted += piece
                    self.note(request, state, told.status, kept, noted)
                    with contextlib.suppress(ConnectionResetError):
                        await answer.write(piece)
        return answer

    def note(self, request: web.Request, state: str, status: int, headers: dict[str, str], body: bytes) -> None:
        text = nameless(body.decode()) if b"\0" not in body else None
        found = {"text": text} if text is not None else {"base64": base64.b64encode(body).decode()}
        key = f"{state} {request.method} {normal(request.path_qs)}"
        self.answers[key] = {"status": status, "headers": headers, **found}


async def main(host: str, port: str, program: str, file: str) -> None:
    recorder = Recorder(f"http://{host}:{port}")
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", recorder.handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    os.environ["DOCKER_HOST"] = f"tcp://127.0.0.1:{runner.addresses[0][1]}"
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        async with launching(directory, apps={"viewer": recipe(directory, program)}, timeout=25) as running:
            session = await running.start("viewer")
            print("ready:", session, flush=True)
            async with running.http.get(f"http://127.0.0.1:{session['port']}/") as response:
                print("its page:", response.status, (await response.text()).strip(), flush=True)
            await asyncio.sleep(1.5)
            print("its log:", running.log(session), flush=True)
            assert (await running.ask("DELETE", session["id"]))[0] == 200
            await running.start("viewer")
            recorder.state = "exited"
            (only,) = running.launcher.sessions.values()
            # It ends by itself: the container is stopped from outside.
            stop = await asyncio.create_subprocess_exec(program, "stop", "-t", "1", f"wslink-{only.id}")
            await stop.wait()
            await until(lambda: not running.launcher.sessions, 20)
    await runner.cleanup()
    Path(file).write_text(json.dumps(recorder.answers, indent=1, sort_keys=True) + "\n")
    print(*recorder.answers, sep="\n")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
