"""The command line: `wslink doctor URL`, which finds problems between here and a server."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator, Sequence

from wslink.client.cure import CURE, explained, reason
from wslink.client.link import Link
from wslink.console import INTERRUPTED, complain, put
from wslink.errors import LIMIT_ERROR, AuthenticationError, CallError, ConnectionClosed, LinkError, UsageError
from wslink.tools.checks import Way
from wslink.tools.findings import Finding, ok, skipped
from wslink.tools.options import Target, add_options, seconds, target_of
from wslink.tools.show import size
from wslink.waiting import within

SIZES = (60_000, 200_000, 1_100_000, 4_200_000)
"""Bytes of messages that are tried: beyond the bounds that proxies and servers have by default."""
CUTS = "the network, a server or a proxy that was restarted, a time limit of a proxy's"
PROBE = "wslink.doctor"
"""A method that no server has: it answers with an error, however much is sent."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return the exit code: 1 if anything failed."""
    arguments = _parser().parse_args(argv)
    try:
        return asyncio.run(_run(target_of(arguments), arguments))
    except (UsageError, OSError) as error:
        complain(f"wslink: {explained(error)}")
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED


async def _run(target: Target, arguments: argparse.Namespace) -> int:
    failed = False
    async for finding in examine(target, arguments.origin, arguments.idle):
        put(finding.lines())
        failed = failed or finding.good is False
    put("something failed: see its hop and its cure" if failed else "all is well")
    return 1 if failed else 0


async def examine(target: Target, origin: str | None = None, idle: float = 0.0) -> AsyncIterator[Finding]:
    """Run all checks, one after the other.

    Args:
        target: the server.
        origin: the origin of the page that is to connect; by default the server's own.
        idle: seconds of silence to wait; 0 for none.
    """
    async for finding in Way(target, origin).checks():
        yield finding
        if finding.good is False and finding.what != "clock":
            return
    try:
        async with target.connect() as link:
            yield ok("secret", f"accepted; this is client {link.client_id[:8]}... of {_named(link)}")
            yield await _frames(link, target)
            yield await _idle(link, idle)
    except AuthenticationError as error:
        yield Finding("secret", False, reason(error), "the URL", CURE)
        return
    except LinkError as error:
        cure = "let the proxy pass WebSocket frames as they are, and see the server's log"
        yield Finding("secret", False, f"the WebSocket opens, and then: {error}", "the proxy, or the server", cure)
        return
    yield await _compression(target)


def _named(link: Link) -> str:
    server = link.server
    return f"{server.get('name')} {server.get('version')}" if server else "a released server"


async def _frames(link: Link, target: Target) -> Finding:
    """Send larger and larger messages."""
    passed = 0
    for count in SIZES:
        try:
            await _send(link, count)
        except CallError as error:
            text = f"a message of {size(count)} is over the server's limit: {error.message}"
            return Finding("frame size", False, text, "the server", "raise that limit (docs/protocol/limits.md)")
        except (ConnectionClosed, asyncio.TimeoutError) as error:
            return await _broken(target, passed, count, error)
        passed = count
    return ok("frame size", f"messages of {size(passed)} pass")


async def _send(link: Link, count: int) -> None:
    """Send a message of this many bytes. Raises CallError if the server reports that it is too large, ConnectionClosed,
    asyncio.TimeoutError."""
    try:
        await within(link.call(PROBE, bytes(count)), 30)
    except CallError as error:
        if error.code == LIMIT_ERROR:
            raise


async def _broken(target: Target, passed: int, count: int, error: Exception) -> Finding:
    """A message did not get through. Find out on another connection whether that is because of its size."""
    text = f"{size(passed)} pass, {size(count)} do not: {error or 'no answer'}"
    opened = False
    try:
        async with target.connect() as again:
            opened = True
            await _send(again, count)
    except (LinkError, asyncio.TimeoutError):
        if opened:
            fitting = f"WSLINK_MAX_MSG_SIZE={max(passed, 32_000)}"
            cure = f"let the proxy pass frames of {size(count)}, or serve with {fitting}"
            return Finding("frame size", False, text, "the proxy", cure)
        text = f"the connection was lost ({error or 'no answer'}), and there is no other: try again later"
    else:
        lost = f"the connection was lost while {size(count)} were sent ({error or 'no answer'})"
        text = f"{lost}; a second one let them pass"
    cure = "links of pages and programs connect again and resume by themselves; find out what cuts it: " + CUTS
    return Finding("line", False, text, "the line", cure)


async def _idle(link: Link, seconds: float) -> Finding:
    """Wait in silence, like a page that only shows something."""
    if seconds <= 0:
        return skipped("idle", "not tried: --idle 65 waits for longer than proxies do by default")
    if link.state != "open":
        return skipped("idle", "not tried: the connection was lost")
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        end = await within(link.wait_closed(), seconds)
    except asyncio.TimeoutError:
        return ok("idle", f"the connection outlives {seconds:g} s without a message")
    after = loop.time() - began
    beat = f"WSLINK_HEART_BEAT={max(after / 2, 1):.0f}"
    cure = (
        f"have the server send heartbeats more often than every {after:.0f} s ({beat}), or let the proxy wait longer: "
    )
    cure += "nginx: proxy_read_timeout 1h; Apache: ProxyTimeout 3600"
    return Finding("idle", False, f"closed after {after:.1f} s without a message: {end}", "the proxy", cure)


async def _compression(target: Target) -> Finding:
    """Connect again, with compression."""
    try:
        async with target.connect(compress=True) as link:
            name = f"{PROBE}.{'x' * 1010}"  # its error is long enough to be compressed
            await within(link.call(name, "x" * 4000), target.timeout)
    except CallError:
        pass
    except (LinkError, asyncio.TimeoutError) as error:
        text = f"what is compressed does not arrive: {error or 'no answer'}"
        cure = "let the proxy pass Sec-WebSocket-Extensions in both directions; or serve with --no-ws-compress"
        return Finding("compression", False, text, "the proxy", cure)
    return ok("compression", "what is compressed arrives")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="wslink doctor",
        description="Check what can break between a page and a server, and name the hop and the cure: name, "
        "network, TLS, clock, upgrade, Host, Origin, path, secret, frame size, idle timeout, compression.",
    )
    add_options(parser)
    parser.add_argument(
        "--origin", metavar="ORIGIN", help="origin of the page that connects (default: the server's own)"
    )
    parser.add_argument(
        "--idle", type=seconds, default=0.0, metavar="SECONDS", help="time to wait without traffic (default: 0)"
    )
    return parser
