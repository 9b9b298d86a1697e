"""What tests of streams share: a raw client's messages, and streams of numbers (STR)."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import msgpack

from tests.peers import Peer
from wslink import App

ITEM, END, CREDIT, CANCEL = 3, 4, 5, 6
FEATURES = ["stream", "cancel"]


def stream(key: int) -> msgpack.ExtType:
    """What stands for an argument that is a stream."""
    return msgpack.ExtType(2, msgpack.packb(key))


async def ask(peer: Peer, method: str, *args: Any, credit: Any = 8) -> str:
    """Call for a stream; the call's id."""
    peer._number += 1
    id_ = f"rpc:{peer.client_id}:{peer._number}"
    await peer.send({"wslink": "1.0", "id": id_, "method": method, "args": list(args), "stream": credit})
    return id_


async def items(peer: Peer, count: int) -> list[list[Any]]:
    """The next messages of extensions."""
    return [await peer.receive_extension() for _ in range(count)]


class Counting:
    """A stream of numbers, and what became of it."""

    def __init__(self, app: App, **options: Any) -> None:
        self.made = 0
        self.ended = list[str]()

        @app.method("test.count")
        async def count(most: int) -> AsyncIterator[int]:
            try:
                for n in range(most):
                    self.made += 1
                    yield n
                self.ended.append("end")
            except BaseException as error:
                self.ended.append(type(error).__name__)
                raise


class CountingInThread(Counting):
    def __init__(self, app: App) -> None:
        self.made = 0
        self.ended = list[str]()
        self.threads = set[int]()

        @app.method("test.count", run="thread")
        def count(most: int) -> Iterator[int]:
            self.threads.add(threading.get_ident())
            try:
                for n in range(most):
                    self.made += 1
                    yield n
                self.ended.append("end")
            except BaseException as error:
                self.ended.append(type(error).__name__)
                raise
