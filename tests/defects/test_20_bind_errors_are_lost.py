"""Defect 20: start() in a task never reports that the port is taken.

The exception of the task stays (software awaits it); on top of it the server says so itself.
"""

import asyncio
import logging

import pytest

from wslink.server import create_webserver

from ..released.package import defect
from ..released.peer import soon
from ..released.serving import Protocol, serving


async def second_server(port):
    """A server whose port is taken, started in a task that nobody awaits."""
    config = {"host": "127.0.0.1", "port": port, "handle_signals": False, "ws": {"ws": Protocol()}}
    server = create_webserver(config)
    task = asyncio.create_task(server.start())
    await asyncio.wait([task])
    return server, task


@defect(20)
async def test_the_log_tells(caplog):
    caplog.set_level(logging.ERROR, "wslink")
    async with serving(Protocol()) as running:
        _, task = await second_server(running.port)
        told = [
            record for record in caplog.records if record.name.startswith("wslink") and record.levelno >= logging.ERROR
        ]
        assert isinstance(task.exception(), OSError)
        assert str(running.port) in "\n".join(record.getMessage() for record in told)


@defect(20)
async def test_completion_raises():
    async with serving(Protocol()) as running:
        server, task = await second_server(running.port)
        assert isinstance(task.exception(), OSError)
        with pytest.raises(OSError, match="address"):
            await soon(server.completion, "an end of completion")
