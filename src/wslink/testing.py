"""Helpers for testing code that talks to a wslink server: play a recording in place of the server."""

from __future__ import annotations

import math
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from wslink.client.link import Link
from wslink.replay.app import Replay
from wslink.replay.tape import open_tape


@asynccontextmanager
async def replay(
    path: str | os.PathLike[str],
    *,
    client: str = "",
    speed: float = math.inf,
    strict: bool = True,
    timeout: float = 10.0,
) -> AsyncIterator[Link]:
    """Play a recording inside this process: `async with replay("run.wsrec") as link`.

    Calls return what was recorded for them. Recorded publications are delivered from the first subscription on.

    Args:
        path: the recording.
        client: the client whose view is played: a client id, or "all". By default it is the client that was sent most.
        speed: recorded seconds per second. By default everything is played at once; with 0, only `wslink.replay.step`
            advances the recording.
        strict: fail calls whose arguments are not in the recording. Otherwise they return the latest response of their
            method.
        timeout: seconds for hello.

    Raises:
        OSError: the file cannot be read.
        UsageError: the file is not a recording, is damaged, or does not contain that client.
    """
    played = Replay(open_tape(path, client), speed=speed, strict=strict)
    async with played.app.connect(timeout=timeout) as link:
        yield link
