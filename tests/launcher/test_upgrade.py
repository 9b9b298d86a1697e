"""A launcher is replaced behind a port that stays open, as systemd keeps it: no viewer is lost, no request refused."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from pathlib import Path
from typing import Any

from tests.launcher.support import Client, LauncherProcess, processes
from tests.launcher.test_handoff import APPS, address
from wslink import Link, connect

ACTIVATE = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.executable, [sys.executable, "-m", "wslink.launcher", sys.argv[2]])
"""


class Activated(LauncherProcess):
    """A launcher that is given its listening socket as systemd gives it: sd_listen_fds(3)."""

    def __init__(self, directory: Path, listener: socket.socket, **settings: Any) -> None:
        super().__init__(directory, **settings)
        self._listener = listener

    async def begin(self) -> Client:
        number = self._listener.fileno()
        return await self.start((sys.executable, "-c", ACTIVATE, str(number)), pass_fds=[number])


async def keep_asking(client: Client, session: dict[str, Any], link: Link, replaced: asyncio.Event) -> int:
    """Ask for a session over and over, each time on a connection of its own, and call its server."""
    answers = 0
    while not replaced.is_set() or answers == 0:
        headers = {"Connection": "close"}
        assert await client.ask("GET", session["id"], headers=headers) == (200, session)
        assert await link.call("size", b"123") == 3
        answers += 1
    return answers


async def test_a_launcher_is_replaced_and_no_viewer_lost(tmp_path: Path) -> None:
    apps = {"app": APPS["app"], "carried": {**APPS["app"], "env": {"WSLINK_HANDOFF": ""}}}
    async with contextlib.AsyncExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=64))
        launcher = Activated(tmp_path, listener, apps=apps, keep_sessions=True, timeout=15)
        client = await launcher.begin()
        stack.push_async_callback(client.http.close)
        assert client.url.endswith(f":{listener.getsockname()[1]}")
        passed, carried = await client.start("app"), await client.start("carried")
        direct = await connect(address(client, passed), secret="the secret", reconnect=False)
        through = await connect(address(client, carried), secret="the secret")
        stack.push_async_callback(direct.close)
        stack.push_async_callback(through.close)
        assert await through.call("size", b"1") == 1

        replaced = asyncio.Event()
        asking = asyncio.ensure_future(keep_asking(client, passed, direct, replaced))
        await asyncio.sleep(0.2)
        await launcher.terminate()
        again = await launcher.begin()
        stack.push_async_callback(again.http.close)
        replaced.set()
        assert await asyncio.wait_for(asking, 15) > 1

        # The one that the launcher carried comes back through the new launcher.
        assert await asyncio.wait_for(through.call("size", b"12"), 15) == 2
        for session in (passed, carried):
            assert len(processes(session["id"])) == 1
            assert (await again.ask("DELETE", session["id"]))[0] == 200
        await launcher.terminate()


async def test_sockets_of_another_process_are_left_alone(tmp_path: Path) -> None:
    launcher = LauncherProcess(tmp_path, apps=APPS)
    client = await launcher.start(("env", "LISTEN_FDS=1", "LISTEN_PID=1", sys.executable, "-m", "wslink.launcher"))
    assert (await client.ask("GET", "applications"))[0] == 200
    await client.http.close()
    await launcher.terminate()
