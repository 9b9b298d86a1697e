"""For tests of what is written against a wslink server: a recording in its place."""

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
    """Play a recording inside of this process: `async with replay("run.wsrec") as link`.

    Calls are answered as they were recorded, and subscriptions get what was published, from the first subscription on.

    Args:
        path: the recording.
        client: whose view is played: a client's id, or "all"; the client that was sent most unless given.
        speed: seconds of the recording per second; all at once unless given, and 0 only by `wslink.replay.step`.
        strict: fail calls whose arguments are not recorded; otherwise they get the newest response of their method.
        timeout: seconds for hello.

    Raises:
        OSError: it cannot be read.
        UsageError: it is no recording, or damaged; or it knows no such client.
    """
    played = Replay(open_tape(path, client), speed=speed, strict=strict)
    async with played.app.connect(timeout=timeout) as link:
        yield link
