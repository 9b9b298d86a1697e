"""Parsing the head of a WebSocket request."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from multidict import CIMultiDict

from wslink.transport.heads import MAX_HEADERS

if TYPE_CHECKING:
    from multidict import MultiMapping

_PLAIN = re.compile(
    rb"GET /[A-Za-z0-9/?&=%._~+:@!$'()*,;-]* HTTP/1\.1\r\n(?:[A-Za-z0-9-]+: [!-~][ -~]*(?<! )\r\n)+\r\n"
)
"""A head about which no two servers disagree, as browsers and clients send it."""
_HEADER = re.compile("([A-Za-z0-9-]+): (.+)\r\n")


def read_head(data: bytes, ask: bool = True) -> MultiMapping[str] | None:
    """Parse the headers of a complete request head; None if aiohttp refuses it.

    A simple head, with each header once, is parsed here: aiohttp would create a parser, a URL and a message for it. All
    others are parsed by aiohttp, so that there is only one opinion on what is allowed.

    Args:
        ask: whether aiohttp may be used; if not, None is returned where it would be needed.
    """
    if _PLAIN.fullmatch(data) is not None:
        text = data.decode("ascii")
        pairs = _HEADER.findall(text, text.index("\n"))  # in the first line, it would look on from each letter
        headers = CIMultiDict(pairs)
        if len(pairs) <= MAX_HEADERS and "Host" in headers and len(set(map(str.lower, headers))) == len(pairs):
            return headers
    if not ask:
        return None
    from wslink.transport.private import parse_head

    return parse_head(data)
