"""Attacks that are not held yet, with the kinds of server.

aiohttp expands a message before anything can look at it. Tornado and ASGI servers read ahead of what is taken.
"""

from __future__ import annotations

NOT_YET: dict[str, tuple[str, ...]] = {
    "little that expands to much, before hello": ("aiohttp",),
    "little that expands to much": ("aiohttp",),
    "errors that repeat what was sent": ("tornado",),
    "filters of many values": ("picows",),
    "chunks of one byte, before hello": ("picows",),  # 65 KiB per connection where 64 are asked for
    "numbers in filters whose hashes are equal": ("tornado",),  # 220 ms where 200 are asked for
    "publications that are not read": ("picows", "aiohttp", "asgi", "tornado"),  # picows: 46 MiB where 32 are asked for
}
