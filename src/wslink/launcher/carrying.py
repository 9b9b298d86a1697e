"""Forwarding of HTTP requests, piece by piece."""

from __future__ import annotations

import re
from collections.abc import Callable

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from wslink.proxy.upstream import Target, passed_on

PIECE = 64 * 1024
"""Bytes of a body that are carried at once."""
_NO_TEXT = re.compile("[\ud800-\udfff]")
"""What aiohttp makes of bytes that are not UTF-8."""

Rewrite = Callable[[CIMultiDict[str]], CIMultiDict[str]]
"""Makes the headers of the answer from those that came."""


class Carrier:
    """Forwards requests and responses. Nothing is stored of either."""

    def __init__(self) -> None:
        self._http: aiohttp.ClientSession | None = None

    async def carry(
        self,
        request: web.Request,
        target: Target,
        headers: CIMultiDict[str],
        rewrite: Rewrite = lambda headers: headers,
    ) -> web.StreamResponse:
        """Forward one request to the target, in both directions.

        Returns:
            The target's response; 502 if it cannot be reached, 400 for a request that cannot be forwarded.
        """
        if any(map(_NO_TEXT.search, headers.values())):
            # aiohttp's client would omit these bytes.
            return web.json_response({"error": "The request has a header that is not UTF-8"}, status=400)
        url = URL(f"http://{target.netloc}{target.path}", encoded=True)
        body = request.content.iter_chunked(PIECE) if request.body_exists else None
        try:
            http = self._opened()
            upstream = await http.request(request.method, url, headers=headers, data=body, allow_redirects=False)
            answered = rewrite(passed_on(upstream.headers))
        except (aiohttp.ClientError, ValueError):
            return web.json_response({"error": "The session cannot be reached"}, status=502)
        async with upstream:
            response = web.StreamResponse(status=upstream.status, reason=upstream.reason)
            response.headers.extend(answered)
            await response.prepare(request)
            async for piece in upstream.content.iter_chunked(PIECE):
                await response.write(piece)
            await response.write_eof()
        return response

    async def close(self) -> None:
        if self._http is not None:
            await self._http.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._http is None:
            connector = aiohttp.TCPConnector(limit=0, force_close=True)
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=10)
            self._http = aiohttp.ClientSession(
                connector=connector, timeout=timeout, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
            )
        return self._http
