"""A Python link over a line that is cut."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import wslink
from tests.lines import Line
from tests.waiting import until
from wslink import Link, Reconnect, Reconnected

SOON = Reconnect(initial=0.02, max=0.1)


class Linked:
    """A link over a line, and what it tells of itself."""

    def __init__(self, line: Line, link: Link) -> None:
        self.line = line
        self.link = link
        self.states: list[str] = []
        self.verdicts: list[Reconnected] = []
        link.on_statechange(self.states.append)
        link.on_reconnected(self.verdicts.append)

    async def returned(self, times: int = 1) -> Reconnected:
        await until(lambda: len(self.verdicts) >= times)
        return self.verdicts[-1]

    async def cut(self) -> None:
        """Cut the line, and keep it cut until `mend`."""
        self.line.refusing = True
        self.line.cut()
        await until(lambda: self.link.state == "reconnecting")

    def mend(self) -> None:
        self.line.refusing = False


Connect = Callable[..., Any]


async def collect(subscription: wslink.ClientSubscription, into: list[Any]) -> None:
    async for payload in subscription:
        into.append(payload)
