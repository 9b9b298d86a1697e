"""Reading the head of a WebSocket's request."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from multidict import CIMultiDict

from wslink.transport.private import MAX_HEADERS, parse_head

if TYPE_CHECKING:
    from multidict import MultiMapping

_PLAIN = re.compile(
    rb"GET /[A-Za-z0-9/?&=%._~+:@!$'()*,;-]* HTTP/1\.1\r\n(?:[A-Za-z0-9-]+: [!-~][ -~]*(?<! )\r\n)+\r\n"
)
"""A head about which no two servers disagree, as browsers and clients send it."""
_HEADER = re.compile("([A-Za-z0-9-]+): (.+)\r\n")


def read_head(data: bytes) -> MultiMapping[str] | None:
    """The headers of a whole request head; None where aiohttp refuses it.

    A plain one, each header once, is read in place: aiohttp makes a parser, a URL and a message for each. All others
    are read by aiohttp, so that there is one opinion on what is allowed.
    """
    if _PLAIN.fullmatch(data) is None:
        return parse_head(data)
    pairs = _HEADER.findall(data.decode("ascii"))
    headers = CIMultiDict(pairs)
    if len(pairs) > MAX_HEADERS or "Host" not in headers or len(set(map(str.lower, headers))) < len(pairs):
        return parse_head(data)
    return headers
