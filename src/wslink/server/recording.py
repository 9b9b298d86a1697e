"""What a server has recorded, for those who know its secret."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from wslink.errors import NotAuthorized
from wslink.observe.recorder import Recorder
from wslink.rpc.call import Call
from wslink.server.holders import Holders
from wslink.session.identity import Opening

METHOD = "wslink.recording"
PIECE = 256 * 1024
"""Bytes of an item of the stream that gives a recording."""


class Fetching:
    """Serves `wslink.recording`: a recording holds what all clients did, so that not each of them may have it.

    Args:
        recorder: has it.
        holders: may have it.
    """

    def __init__(self, recorder: Recorder, holders: Holders) -> None:
        self._recorder = recorder
        self._holders = holders

    async def fetch(self, secret: str, call: Call) -> AsyncIterator[bytes]:
        """What the server has recorded, as the pieces of a file, for the server's secret."""
        if not await self._holders.admit(secret, True, call.client_id, Opening(address=call.client.address)):
            raise NotAuthorized("a recording is for those who know the server's secret", METHOD)
        piece = bytearray()
        for part in self._recorder.chunks("asked for"):
            piece += part
            while len(piece) >= PIECE:
                yield bytes(piece[:PIECE])
                del piece[:PIECE]
            await asyncio.sleep(0)
        yield bytes(piece)
