"""Attacks that are not held yet, with the kinds of server."""

from __future__ import annotations

NOT_YET: dict[str, tuple[str, ...]] = {
    "pings that are not read, before hello": (
        "picows",
        "aiohttp",
        "reverse",
        "relay",
    ),
    "pings that are not read, of many connections": (
        "picows",
        "aiohttp",
    ),
    "pings that are not read, after hello": (
        "picows",
        "aiohttp",
        "reverse",
    ),
    "pings that are read": (
        "picows",
        "aiohttp",
    ),
    "pings behind a result that is not read": (
        "picows",
        "aiohttp",
        "reverse",
    ),
    "empty continuation frames": (
        "picows",
        "aiohttp",
    ),
    "empty continuation frames, before hello": (
        "picows",
        "aiohttp",
    ),
    "continuation frames of one byte, before hello": (
        "picows",
        "aiohttp",
        "relay",
    ),
    "empty messages": (
        "picows",
        "aiohttp",
        "asgi",
        "reverse",
    ),
    "little that expands to much, before hello": (
        "picows",
        "aiohttp",
    ),
    "little that expands to much": (
        "picows",
        "aiohttp",
    ),
    "many small objects": (
        "picows",
        "aiohttp",
        "asgi",
        "tornado",
        "reverse",
    ),
    "many small objects, before hello": (
        "picows",
        "aiohttp",
        "asgi",
        "tornado",
    ),
    "errors that repeat what was sent": (
        "picows",
        "aiohttp",
        "asgi",
        "tornado",
        "reverse",
    ),
    "keys whose hashes are equal, before hello": (
        "picows",
        "aiohttp",
        "asgi",
        "tornado",
    ),
    "numbers in filters whose hashes are equal": (
        "picows",
        "aiohttp",
        "asgi",
        "tornado",
        "reverse",
    ),
    "frames but for their last byte, before hello": (
        "picows",
        "aiohttp",
    ),
    "chunks of one byte, before hello": (
        "picows",
        "aiohttp",
        "relay",
    ),
    "messages that are not ended, before hello": (
        "picows",
        "aiohttp",
        "asgi",
    ),
    "chunks of one byte": (
        "picows",
        "aiohttp",
        "asgi",
        "tornado",
        "reverse",
    ),
    "calls in a row": (
        "picows",
        "aiohttp",
        "asgi",
        "tornado",
    ),
    "calls in a row, of many clients": (
        "picows",
        "aiohttp",
        "asgi",
        "tornado",
    ),
    "calls whose answers are not read": (
        "picows",
        "aiohttp",
        "reverse",
    ),
    "publications that are not read": (
        "picows",
        "aiohttp",
        "asgi",
        "tornado",
    ),
    "subscriptions in a row": (
        "picows",
        "aiohttp",
        "asgi",
        "tornado",
        "reverse",
    ),
    "hellos in a row": (
        "picows",
        "aiohttp",
        "asgi",
    ),
    "wrong secrets in a row": (
        "picows",
        "aiohttp",
        "asgi",
    ),
    "unknown methods in a row": (
        "picows",
        "aiohttp",
        "asgi",
        "reverse",
    ),
    "wrong arguments in a row": (
        "picows",
        "aiohttp",
        "reverse",
    ),
    "calls that take long": (
        "picows",
        "aiohttp",
        "asgi",
        "tornado",
    ),
    "filters of many conditions": (
        "picows",
        "aiohttp",
        "asgi",
        "tornado",
        "reverse",
    ),
    "filters that match on a common tag": (
        "picows",
        "aiohttp",
        "tornado",
    ),
    "filters of many values": (
        "picows",
        "aiohttp",
        "asgi",
        "tornado",
        "reverse",
    ),
    "a connection that says nothing": (
        "picows",
        "aiohttp",
        "relay",
    ),
    "a head that does not end": (
        "picows",
        "aiohttp",
        "relay",
    ),
}
