"""The relay's names in released wslink, implemented with this relay."""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from wslink.relay.cli import run
from wslink.relay.options import Options
from wslink.relay.service import Relay
from wslink.settings import add_options, read_options


class WsHandler:
    """Handlers for an aiohttp application of your own."""

    def get_handler(self, mode: str = "forward") -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """The handler of a route, for one mode."""
        return Relay(Options(mode=mode)).handle


def main(
    host: str | None = None,
    port: int | None = None,
    www_path: str | None = None,
    proxy_route: str | None = None,
    mode: str | None = None,
) -> None:
    """Run a relay. Arguments win over the command line, of which unknown arguments are ignored."""
    parser = argparse.ArgumentParser(description="Carry WebSockets to servers behind a relay.")
    add_options(parser, Options)
    arguments, _ = parser.parse_known_args()
    given: dict[str, Any] = {"host": host, "port": port, "www": www_path, "proxy_route": proxy_route, "mode": mode}
    vars(arguments).update({name: value for name, value in given.items() if value is not None})
    run(read_options(Options, {}, vars(arguments)))
