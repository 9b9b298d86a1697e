"""What a server has recorded, for those who know its secret."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncIterator, Callable

from wslink.errors import NotAuthorized
from wslink.hub.gate import Gate
from wslink.observe.recorder import Recorder
from wslink.rpc.call import Call
from wslink.session.identity import ANONYMOUS, Credentials, Identity, Opening

METHOD = "wslink.recording"
PIECE = 256 * 1024
"""Bytes of an item of the stream that gives a recording."""


class Fetching:
    """Serves `wslink.recording`: a recording holds what all clients did, so that not each of them may have it.

    Args:
        recorder: has it.
        secret: gives what opens it, whatever else lets clients in.
    """

    def __init__(self, recorder: Recorder, secret: Callable[[], str]) -> None:
        self._recorder = recorder
        self._secret = secret
        self._gate = Gate(self._identify)

    async def fetch(self, secret: str, call: Call) -> AsyncIterator[bytes]:
        """What the server has recorded, as the pieces of a file, for the server's secret."""
        opening = Opening(address=call.client.address)
        verdict = self._gate.admit(Credentials(secret, True, call.client_id, {}, opening))
        if verdict is not None and not isinstance(verdict, Identity):
            verdict = await verdict
        if verdict is None:
            raise NotAuthorized("a recording is for those who know the server's secret", METHOD)
        piece = bytearray()
        for part in self._recorder.chunks("asked for"):
            piece += part
            while len(piece) >= PIECE:
                yield bytes(piece[:PIECE])
                del piece[:PIECE]
            await asyncio.sleep(0)
        yield bytes(piece)

    def _identify(self, credentials: Credentials) -> Identity | None:
        offered, wanted = credentials.secret, self._secret()
        right = hmac.compare_digest(offered.encode(errors="surrogatepass"), wanted.encode(errors="surrogatepass"))
        return ANONYMOUS if right else None
