"""Runs the interoperability cases with our Python client: client_ours.py URL"""

from __future__ import annotations

import asyncio
import json
import math
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import wslink

MIB = 1024 * 1024
URL = sys.argv[1]


async def failure(call: Awaitable[Any]) -> wslink.CallError:
    try:
        result = await call
    except wslink.CallError as error:
        return error
    raise AssertionError(f"returned {result!r}")


class Cases:
    link: wslink.Link

    async def wrong_secret(self) -> None:
        try:
            await wslink.connect(URL, secret="wrong")
        except wslink.AuthenticationError:
            return
        raise AssertionError("let in")

    async def hello(self) -> None:
        self.link = await wslink.connect(URL, secret="interop")

    async def call(self) -> None:
        assert await self.link.call("interop.add", 1, 2.5) == 3.5
        value = {"text": "ü ∞", "list": [1, -2, None, True], "map": {"deep": [{}]}}
        assert await self.link.call("interop.echo", value) == value

    async def kwargs(self) -> None:
        assert await self.link.call("interop.add", 1, b=2, c=3) == 6

    async def unknown_method(self) -> None:
        error = await failure(self.link.call("interop.nothing"))
        assert (error.code, error.data) == (-32601, "interop.nothing")

    async def exception(self) -> None:
        error = await failure(self.link.call("interop.fail"))
        assert error.code == -32001
        assert "meant to fail" in error.data["exception"]

    async def unserialisable_result(self) -> None:
        assert (await failure(self.link.call("interop.unserialisable"))).code == -32002

    async def nested_attachments(self) -> None:
        value = {"a": [bytes(range(256)), "text"], "b": {"c": b"\x00\x01"}}
        assert await self.link.call("interop.echo", value) == value

    async def publication(self) -> None:
        subscription = self.link.subscribe("interop.news")
        await subscription.ready
        assert await self.link.call("interop.publish", 12) == "published"
        received = [await anext(subscription) for _ in range(12)]
        assert received == [{"n": n, "data": bytes([n]) * 3} for n in range(12)]
        await subscription.cancel()

    async def order(self) -> None:
        events: list[str] = []
        receive = self.link._session.receive

        def listen(binary: bool, data: bytes) -> None:
            events.extend(kind for kind in ("rpc", "publish") if f"{kind}:".encode() in data)
            receive(binary, data)

        subscription = self.link.subscribe("interop.news")
        await subscription.ready
        self.link._session.receive = listen  # type: ignore[method-assign]
        await self.link.call("interop.publish", 1)
        await anext(subscription)
        self.link._session.receive = receive  # type: ignore[method-assign]
        await subscription.cancel()
        assert events[:2] == ["rpc", "publish"], events

    async def numbers(self) -> None:
        nan, *others = await self.link.call("interop.numbers")
        assert math.isnan(nan)
        assert others == [math.inf, -math.inf, 0.5]

    async def large(self, size: int) -> None:
        received = await self.link.call("interop.bytes", size)
        data = received["deep"][0]["data"]
        assert (len(data), data[-1]) == (size, 255)
        assert await self.link.call("interop.size", {"deep": [data]}) == [size, 124716]

    async def eight_mib(self) -> None:
        await self.large(8 * MIB)

    async def sixty_four_mib(self) -> None:
        await self.large(64 * MIB)

    async def many_chunks(self) -> None:
        for n in range(20):
            await self.large(MIB + 256 * n)

    async def close_during_a_call(self) -> None:
        other = await wslink.connect(URL, secret="interop")
        slow = asyncio.create_task(other.call("interop.slow", 0.2))
        await asyncio.sleep(0.02)
        await other.close()
        outcome = (await asyncio.gather(slow, return_exceptions=True))[0]
        assert isinstance(outcome, wslink.ConnectionClosed)
        assert await self.link.call("interop.add", 1, 1) == 2


NAMES = {"8 MiB": "eight_mib", "64 MiB": "sixty_four_mib"}


async def main() -> None:
    cases = Cases()
    for name in json.load(open(sys.argv[2]))["cases"]:  # noqa: SIM115
        run: Callable[[], Awaitable[None]] = getattr(cases, NAMES.get(name, name.replace(" ", "_")))
        detail = ""
        try:
            await asyncio.wait_for(run(), 20)
        except Exception as error:
            detail = f"{type(error).__name__}: {error}".split("\n")[0]
        sys.stdout.write(json.dumps({"case": name, "ok": not detail, "detail": detail}) + "\n")
    if hasattr(cases, "link"):
        await cases.link.close()


asyncio.run(main())
