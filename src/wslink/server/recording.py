"""Access to a server's recording, with the server's secret."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Generator

from wslink.errors import LimitExceeded, NotAuthorized
from wslink.observe.recorder import Recorder
from wslink.rpc.call import Call
from wslink.server.holders import Holders
from wslink.session.identity import Opening
from wslink.wire.frames import Buffer

METHOD = "wslink.recording"
MAX_FETCHES = 2
"""Recordings that may be downloaded at a time (LIM-22)."""
PIECE = 256 * 1024
"""Bytes of an item of the stream that gives a recording."""


class Fetching:
    """Serves `wslink.recording`. It requires the secret, since a recording contains what all clients did.

    Args:
        recorder: the recorder.
        holders: checks the secret.
    """

    def __init__(self, recorder: Recorder, holders: Holders) -> None:
        self._recorder = recorder
        self._holders = holders
        self._fetches: dict[Generator[Buffer, None, None], None] = {}

    async def fetch(self, secret: str, call: Call) -> AsyncIterator[bytes]:
        """Stream the recording, as the pieces of a file, to holders of the server's secret."""
        if not await self._holders.admit(secret, True, call.client_id, Opening(address=call.client.address)):
            raise NotAuthorized("a recording is for those who know the server's secret", METHOD)
        chunks = self._begin()
        try:
            piece = bytearray()
            for part in chunks:
                piece += part
                while len(piece) >= PIECE:
                    yield bytes(piece[:PIECE])
                    del piece[:PIECE]
                await asyncio.sleep(0)
            if chunks not in self._fetches:
                raise LimitExceeded(f"over {MAX_FETCHES} ask for the recording, and this one took it the most slowly")
            yield bytes(piece)
        finally:
            self._fetches.pop(chunks, None)
            chunks.close()

    def _begin(self) -> Generator[Buffer, None, None]:
        """Take a snapshot, which stays in memory until it has been sent. If there are too many, the oldest download
        ends early."""
        while len(self._fetches) >= MAX_FETCHES:
            oldest = next(iter(self._fetches))
            del self._fetches[oldest]
            oldest.close()
        chunks = self._recorder.chunks("asked for")
        self._fetches[chunks] = None
        return chunks
